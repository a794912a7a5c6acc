"""Fields: what pydantic found wrong with a request, as field errors that say nothing of the input."""

from collections.abc import Mapping, Sequence
from typing import TypeGuard, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.errors import FieldError
from api.models import EMAIL_PATTERN, Model

MOST = 20
"""Errors that one answer lists."""

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "has a field that is not known here; known are: {known}",
    "string_type": "should be a text",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
    "finite_number": "should be a finite number",
    "tuple_type": "should be a list",
    "list_type": "should be a list",
    "model_type": "should be an object",
    "string_pattern_mismatch": "has characters, or outer blanks, that it may not have",
    "string_too_short": "should have at least {min_length} characters",
    "string_too_long": "should have at most {max_length} characters",
    "too_long": "should have at most {max_length} items",
    "greater_than_equal": "should be at least {ge}",
    "less_than_equal": "should be at most {le}",
    "literal_error": "should be {expected}",
}
"""Rules in words. What is not here gets its own words only if it is a rule of ours: pydantic's may quote the input."""

_EXACTLY: Mapping[tuple[str, object], str] = {
    ("string_too_short", 1): "should not be empty",
    ("string_pattern_mismatch", EMAIL_PATTERN): "should look like name@example.org",
}
"""Better words for a rule with this very fact."""

_OURS = frozenset({"moment", "uuid", "two_decimals", "day", "position"})


def broken_fields(model: type[Model], error: ValidationError, at: Sequence[str] = ()) -> list[FieldError]:
    """Return the first few fields that break this model's rules, each path beginning with `at`."""
    return [_field(model, problem, at) for problem in error.errors(include_url=False, include_input=False)[:MOST]]


def _field(model: type[Model], problem: ErrorDetails, at: Sequence[str]) -> FieldError:
    rule, path = problem["type"], [*at, *map(str, problem["loc"])]
    facts = problem.get("ctx", {})
    if rule == "extra_forbidden":
        path.pop()  # a name that the caller made up
        facts = {"known": ", ".join(_known(model, problem["loc"][:-1]))}
    words = _EXACTLY.get((rule, facts.get("min_length") or facts.get("pattern")))
    if words is None and rule in _WORDS:
        words = _WORDS[rule].format_map(facts)
    elif words is None:
        words = problem["msg"] if rule in _OURS else "is not valid"
    return FieldError(".".join(path), rule.replace("_", "-"), words)


def _known(model: type[Model], path: Sequence[int | str]) -> list[str]:
    """Return the names of the fields that the object at this path of the model may have."""
    for name in path:
        annotation = model.model_fields[str(name)].annotation
        (model,) = (kind for kind in (annotation, *get_args(annotation)) if _is_model(kind))
    return list(model.model_fields)


def _is_model(kind: object) -> TypeGuard[type[Model]]:
    return isinstance(kind, type) and issubclass(kind, Model)
