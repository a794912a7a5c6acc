"""Fields: what pydantic found wrong with a request, as field errors that say nothing of the input."""

from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from api.errors import FieldError

MOST = 20
"""Errors that one answer lists."""

_WORDS = {
    "missing": "is required",
    "extra_forbidden": "has a field that is not known here",
    "string_type": "should be a text",
    "int_type": "should be an integer, and a number, not a text",
    "float_type": "should be a number, not a text",
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

_OURS = frozenset({"moment", "uuid", "two_decimals", "day", "position"})


def broken_fields(error: ValidationError, at: Sequence[str] = ()) -> list[FieldError]:
    """Return the first few fields that break their rules, each path beginning with `at`."""
    return [_field(problem, at) for problem in error.errors(include_url=False, include_input=False)[:MOST]]


def _field(problem: ErrorDetails, at: Sequence[str]) -> FieldError:
    rule, path = problem["type"], [*at, *map(str, problem["loc"])]
    if rule == "extra_forbidden":
        path.pop()  # a name that the caller made up
    if rule in _WORDS:
        words = _WORDS[rule].format_map(problem.get("ctx", {}))
    else:
        words = problem["msg"] if rule in _OURS else "is not valid"
    return FieldError(".".join(path), rule.replace("_", "-"), words)
