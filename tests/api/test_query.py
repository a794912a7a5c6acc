"""Query: what stands in an address is read strictly, and never repeated."""

from datetime import UTC, date, datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from api.routes.progress import SummaryQuery

from .people import Family

CANARY = "canary7f3a"


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, (None, None, None)),
        ({"min_position": "7"}, (7, None, None)),
        ({"as_of": "7"}, (None, 7, None)),
        ({"as_of": "2026-01-31T17:05:00Z"}, (None, datetime(2026, 1, 31, 17, 5, tzinfo=UTC), None)),
        ({"as_of": "9223372036854775807", "date": "2026-01-31"}, (None, 2**63 - 1, date(2026, 1, 31))),
    ],
)
def test_a_query_says_which_summary(given: dict[str, str], read: tuple[object, ...]) -> None:
    query = SummaryQuery.model_validate(given)

    assert (query.min_position, query.as_of, query.date) == read


WRONG = {
    "min_position": ("", "0", "-1", "+1", " 1", "1.0", "1e3", "٣", "9223372036854775808", "9" * 400, CANARY, "null"),
    "as_of": ("", "0", "-1", "2026-01-31", "2026-01-31T17:05:00", "9" * 400, "²", CANARY),
    "date": ("", "today", "2026-1-31", "2026-02-30", "20260131", "2026-W05-6", "2026-01-31T00:00:00Z", CANARY),
    CANARY: ("1",),
    "asof": ("1",),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_anything_else_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValidationError):
        SummaryQuery.model_validate({name: value})


@pytest.mark.parametrize(
    "query",
    [
        *(f"{name}={value}" for name, values in WRONG.items() for value in values[-2:]),
        *(
            "as_of=1&as_of=2",
            "as_of=%ff",
            "as_of=%00",
            "%ff=1",
            "&".join(f"{CANARY}{n}=1" for n in range(200)),
            "as_of",
        ),
        *(f"{CANARY}", "as_of=%ED%A0%80", "as_of[]=1", "date=2026-01-31%0d%0aSet-Cookie:%20a=b"),
    ],
)
async def test_a_wrong_query_is_a_problem_that_does_not_repeat_it(
    client: httpx.AsyncClient, family: Family, query: str
) -> None:
    answer = await client.get(f"/progress/{family.child.id}?{query}", headers=family.child.headers)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/request-invalid"
    assert CANARY not in answer.text + str(answer.headers)


async def test_the_error_says_which_part_of_the_query_is_wrong(client: httpx.AsyncClient, family: Family) -> None:
    answer = await client.get(f"/progress/{family.child.id}?date=tomorrow", headers=family.child.headers)

    assert answer.json()["errors"] == [
        {"field": "query.date", "rule": "day", "message": "should be a day, as 2026-01-31"}
    ]


@pytest.mark.parametrize("path", ["/progress", "/users"])
@pytest.mark.parametrize(
    "wrong", [CANARY, "0" * 36, "%00", "%ff", "%ED%A0%80", "..%2f..%2fetc", "{0b7d7b1e-1f0a-4a53-9c3e-6a4f6b1a2c3d}"]
)
async def test_a_wrong_id_is_a_problem_that_does_not_repeat_it(
    client: httpx.AsyncClient, family: Family, path: str, wrong: str
) -> None:
    answer = await client.get(f"{path}/{wrong}", headers=family.child.headers)

    assert answer.status_code in {422, 404}
    assert answer.headers["content-type"] == "application/problem+json"
    assert CANARY not in answer.text + str(answer.headers)


async def test_an_id_may_be_written_in_capitals(client: httpx.AsyncClient, family: Family) -> None:
    answer = await client.get(f"/users/{str(family.child.id).upper()}", headers=family.child.headers)

    profile: dict[str, Any] = answer.json()
    assert profile["id"] == str(family.child.id)
