"""Changed profiles over HTTP: what was not named stays, and who comes too late is told so and overwrites nothing."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import httpx
import pytest

from adapters.wiring import Backend

from .live import Reader
from .people import Family, Person, Register
from .refusals import JSON, assert_refused
from .test_accesses import Recorded, backend, recorded
from .test_exports import export
from .test_fields import WRONG, with_value

__all__ = ["backend", "recorded"]

FIELDS = ("name", "grade_level", "learning_preferences", "timezone")


class Talks:
    """Somebody who reads and changes a profile, their own if no other is named."""

    def __init__(self, client: httpx.AsyncClient, who: Person) -> None:
        self._client = client
        self._who = who

    async def read(self, headers: dict[str, str] | None = None, **query: int) -> httpx.Response:
        return await self._client.get(
            f"/users/{self._who.id}", params=query, headers=self._who.headers | (headers or {})
        )

    async def change(
        self, changes: dict[str, Any], of: Person | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self._client.patch(
            f"/users/{(of or self._who).id}", json={"profile": changes}, headers=self._who.headers | (headers or {})
        )


@pytest.fixture
async def student(register: Register) -> Person:
    return await register("student")


@pytest.fixture
def talks(client: httpx.AsyncClient, student: Person) -> Talks:
    return Talks(client, student)


async def test_what_is_named_changes_and_the_rest_stays(talks: Talks) -> None:
    before = (await talks.read()).json()

    answer = await talks.change({"name": "Ada Lovelace", "grade_level": 5})

    after = answer.json()
    assert answer.status_code == 200
    assert int(answer.headers["event-position"]) > 0
    assert after["profile"].pop("updated_at") > before["profile"].pop("updated_at")
    assert after == before | {"profile": before["profile"] | {"name": "Ada Lovelace", "grade_level": 5}}


async def test_a_tag_is_the_same_for_the_same_profile_wherever_it_is_read(client: httpx.AsyncClient) -> None:
    person = {"name": "Ada", "grade_level": 4}
    account = {"email": f"{uuid4().hex}@family.example", "password": "correct horse battery staple", "role": "student"}
    registered = await client.post("/users", json=account | {"profile": person})
    tokens = (await client.post("/auth/login", json={k: account[k] for k in ("email", "password")})).json()
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    address = registered.headers["location"]

    answers = [registered, *[await client.get(address, headers=headers) for _ in range(2)]]
    nothing = await client.patch(address, json={"profile": {}}, headers=headers)
    changed = await client.patch(address, json={"profile": {"name": "B"}}, headers=headers)

    assert len({(answer.content, answer.headers["etag"]) for answer in [*answers, nothing]}) == 1
    assert changed.headers["etag"] != registered.headers["etag"]
    assert changed.headers["etag"].startswith('"')


async def test_a_change_shows_at_once_to_who_asks_for_it(talks: Talks) -> None:
    await talks.read()  # it is cached from here on
    changed = await talks.change({"name": "B"})
    position = int(changed.headers["event-position"])

    latest = await talks.read(min_position=position)
    ahead = await talks.read(min_position=position + 1_000_000)

    assert (latest.content, latest.headers["etag"]) == (changed.content, changed.headers["etag"])
    assert ahead.json()["type"] == "/problems/position-ahead"


async def test_who_has_the_latest_is_not_sent_it_again(talks: Talks) -> None:
    tag = (await talks.read()).headers["etag"]

    same = [await talks.read({"if-none-match": value}) for value in (tag, f"W/{tag}", f'"x", {tag}')]
    other = [await talks.read({"if-none-match": value}) for value in ('"x"', "nonsense", "")]

    assert [(answer.status_code, answer.content, answer.headers["etag"]) for answer in same] == [(304, b"", tag)] * 3
    assert [answer.status_code for answer in other] == [200, 200, 200]


async def test_who_saw_another_profile_is_told_so_and_changes_nothing(talks: Talks) -> None:
    seen = (await talks.read()).headers["etag"]
    first = await talks.change({"name": "First"}, headers={"if-match": seen})

    second = await talks.change({"name": "Second"}, headers={"if-match": seen})
    weak = await talks.change({"name": "Weak"}, headers={"if-match": f"W/{first.headers['etag']}"})

    assert_refused(second, 412)
    assert_refused(weak, 412)
    assert second.json()["type"] == "/problems/changed-meanwhile"
    assert (await talks.change({})).json()["profile"]["name"] == "First"


@pytest.mark.parametrize("value", ["*", " * ", '"x",,{tag}', '\t{tag} , W/"x"'])
async def test_a_condition_may_be_any_or_one_of_several(talks: Talks, value: str) -> None:
    tag = (await talks.read()).headers["etag"]

    answer = await talks.change({"name": "B"}, headers={"if-match": value.replace("{tag}", tag)})

    assert answer.status_code == 200


@pytest.mark.parametrize("value", ["", "x", '"', '"x" "y"', "*, *", 'w/"x"', '"a b"'])
async def test_a_condition_that_is_none_is_refused_rather_than_overlooked(talks: Talks, value: str) -> None:
    answer = await talks.change({"name": "B"}, headers={"if-match": value})

    assert_refused(answer, 422)
    assert answer.json()["errors"][0]["field"] == "If-Match"


async def test_of_many_who_saw_the_same_exactly_one_changes_it(talks: Talks, backend: Backend) -> None:
    answer = await talks.read()
    for n in range(5):
        before = await backend.reader.head()

        answers = await asyncio.gather(
            *(talks.change({"name": f"{n}.{m}"}, headers={"if-match": answer.headers["etag"]}) for m in range(10))
        )

        [answer] = [one for one in answers if one.status_code == 200]
        assert sorted(one.status_code for one in answers) == [200, *[412] * 9]
        assert await backend.reader.head() == before + 1


async def test_a_repeat_is_answered_as_it_was_then(talks: Talks, backend: Backend) -> None:
    headers = {"idempotency-key": uuid4().hex, "if-match": (await talks.read()).headers["etag"]}
    first = await talks.change({"name": "B"}, headers=headers)
    await talks.change({"name": "C"})
    before = await backend.reader.head()

    again = await talks.change({"name": "B"}, headers=headers)
    other = await talks.change({"name": "D"}, headers=headers)

    assert again.status_code == 200
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert again.headers["event-position"] == first.headers["event-position"]
    assert other.json()["type"] == "/problems/idempotency-key-reused"
    assert await backend.reader.head() == before


async def test_a_registration_repeated_after_a_change_is_answered_as_it_was_then(client: httpx.AsyncClient) -> None:
    account = {"email": f"{uuid4().hex}@family.example", "password": "correct horse battery staple", "role": "parent"}
    key = {"idempotency-key": uuid4().hex}
    first = await client.post("/users", json=account | {"profile": {"name": "Grace"}}, headers=key)
    tokens = (await client.post("/auth/login", json={k: account[k] for k in ("email", "password")})).json()
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    await client.patch(first.headers["location"], json={"profile": {"name": "Hopper"}}, headers=headers)

    again = await client.post("/users", json=account | {"profile": {"name": "Grace"}}, headers=key)

    assert (again.status_code, again.content) == (201, first.content)


async def test_what_is_so_already_is_answered_and_not_recorded(talks: Talks, backend: Backend) -> None:
    read, before = await talks.read(), await backend.reader.head()

    answers = [await talks.change(changes) for changes in ({}, {"name": "Ada"}, {"grade_level": 4})]

    assert [(answer.status_code, answer.content) for answer in answers] == [(200, read.content)] * 3
    assert not any("event-position" in answer.headers for answer in answers)
    assert await backend.reader.head() == before


async def test_a_profile_is_changed_by_oneself_and_ones_guardians_and_nobody_else(
    client: httpx.AsyncClient, register: Register, family: Family
) -> None:
    child = await register("student", by=family.parent)
    people = (child, family.parent, family.other, family.stranger)

    answers = [await Talks(client, who).change({"name": f"{n}"}, of=child) for n, who in enumerate(people)]
    parents = await Talks(client, child).change({"name": "B"}, of=family.parent)

    assert [answer.status_code for answer in answers] == [200, 200, 403, 403]
    assert parents.status_code == 403
    assert (await Talks(client, child).read()).json()["profile"]["name"] == "1"


async def test_a_guardian_who_changes_nothing_has_read_the_profile(
    client: httpx.AsyncClient, register: Register, family: Family, recorded: Recorded
) -> None:
    child = await register("student", by=family.parent)

    await Talks(client, family.parent).change({}, of=child)

    assert [(one.actor, one.what) for one in await recorded(child.id)] == [(family.parent.id, "UpdateProfile")]


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("field", FIELDS)
async def test_every_field_has_the_rules_of_registration(
    client: httpx.AsyncClient, family: Family, bodies: dict[str, dict[str, Any]], field: str
) -> None:
    for wrong in WRONG["/users"][f"profile.{field}"]:
        body = with_value({"profile": bodies["/users"]["profile"]}, f"profile.{field}", wrong)

        answer = await client.patch(
            f"/users/{family.child.id}", content=json.dumps(body).encode(), headers=family.child.headers | JSON
        )

        assert_refused(answer, 422)
        assert answer.json()["errors"][0]["field"].startswith(f"profile.{field}")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("body", [{}, {"profile": None}, {"name": "B"}, {"profile": {"email": "b@example.org"}}, []])
async def test_nothing_but_a_profile_is_changed(client: httpx.AsyncClient, family: Family, body: object) -> None:
    answer = await client.patch(f"/users/{family.child.id}", json=body, headers=family.child.headers)

    assert_refused(answer, 422)


async def test_an_export_shows_the_latest_profile_and_how_it_came_about(
    client: httpx.AsyncClient, talks: Talks, student: Person
) -> None:
    await talks.change({"name": "Ada Lovelace", "timezone": "Asia/Kathmandu"})
    await talks.change({"learning_preferences": ["stories"]})

    archive = await export(client, student, student.id)

    profile = json.loads(archive.read("profile.json"))
    assert profile == {
        "id": str(student.id),
        "role": "student",
        "grade_level": 4,
        "timezone": "Asia/Kathmandu",
        "email": student.email,
        "name": "Ada Lovelace",
        "learning_preferences": ["stories"],
    }
    told = [json.loads(line) for line in archive.read("events.jsonl").splitlines()]
    assert [one["data"]["name"] for one in told if one["type"] == "ProfileUpdated"] == ["Ada Lovelace"] * 2


async def test_a_live_stream_tells_of_a_change_without_personal_fields(talks: Talks, student: Person, url: str) -> None:
    reader = Reader(url, student, student)

    async with reader.connect() as events:
        await anext(events)
        changed = await talks.change({"name": "Ada Lovelace", "grade_level": 5})
        told = await anext(events)

    assert (told.type, told.id) == ("ProfileUpdated", changed.headers["event-position"])
    assert told.data["data"] == {"role": "student", "grade_level": 5, "timezone": "UTC"}


async def test_pages_of_listed_origins_may_change_and_see_the_tag(client: httpx.AsyncClient, talks: Talks) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "authorization, content-type, if-match, if-none-match, idempotency-key",
    }

    preflight = await client.options(f"/users/{uuid4()}", headers=asked)
    answer = await talks.read({"origin": "https://app.example"})

    assert preflight.status_code == 200
    assert "etag" in answer.headers["access-control-expose-headers"].lower()
