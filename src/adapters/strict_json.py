"""Strict JSON: one object out of bytes, no name in it twice and no number that JSON does not have."""

import json


def read_object(raw: bytes) -> dict[str, object]:
    """Return the object these bytes spell in UTF-8; raises `ValueError` for anything else, however deeply nested."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  callers wait for one kind of error
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name appears twice")
    return value


def _no_number(constant: str) -> object:
    raise ValueError(f"{constant} is not a JSON number")
