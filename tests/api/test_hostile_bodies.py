"""A body made to be slow to look at costs no more than any other of its size."""

import time

import pytest

from api.body import check_json
from api.errors import BodyMalformed


@pytest.mark.parametrize(
    "body",
    [
        b"{" * 65 + b'"' + b'\\"' * 131_000,
        b"[" * 65 + b'"\\' * 65_000,
        b'{"a":' * 52_000,
        b'"' * 262_000,
    ],
    ids=["escaped quotes", "broken escapes", "deep", "quotes"],
)
def test_no_body_takes_long_to_refuse(body: bytes) -> None:
    began = time.perf_counter()

    with pytest.raises(BodyMalformed):
        check_json(body)

    assert time.perf_counter() - began < 1
