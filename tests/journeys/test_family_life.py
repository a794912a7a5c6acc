"""A family's life, through HTTP, from the first account to the last erasure; and what is left of it on the disks."""

import asyncio
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from supabase import AsyncClientOptions, create_async_client

from adapters.settings import PREFIX, read_environment_file
from tests.broker import is_native
from tests.journeys.test_one_machine import Running
from tests.workers.running import eventually

PASSWORD = "correct horse battery staple"
TERMS = {"policy_version": "2026-1", "scopes": ["learning"], "country": "IT"}
REPORT = {"subject": "math", "topic": "fractions", "score": 80, "time_spent": 300, "completed": True}
WITHIN = 5.0
"""Seconds within which a guardian who was removed sees nothing any more, and an erasure is done."""


@dataclass
class Person:
    """Someone with an account, at their own device."""

    api: httpx.AsyncClient
    id: str
    email: str

    async def get(self, path: str) -> httpx.Response:
        return await self.api.get(path)

    async def post(self, path: str, body: object = None) -> httpx.Response:
        return await self.api.post(path, json=body)

    async def practise(self) -> httpx.Response:
        return await self.post("/progress", REPORT | {"student_id": self.id})


class Town:
    """The system that is up, and whoever registers there."""

    def __init__(self, running: Running, url: str) -> None:
        self.running = running
        self.url = url
        self.settings = read_environment_file(running.directory / "environment")
        self._devices: list[httpx.AsyncClient] = []

    async def register(self, role: str, name: str = "Ada", by: Person | None = None, **more: object) -> Person:
        email = f"{name.lower()}.{uuid4().hex}@family.example"
        profile = {"name": name, "grade_level": 3 if role == "student" else None, "learning_preferences": [name]}
        body = {"email": email, "password": PASSWORD, "role": role, "profile": profile, **more}
        device = httpx.AsyncClient(base_url=self.url, timeout=30)
        self._devices.append(device)
        made = await (by.api if by else device).post("/users", json=body)
        assert made.status_code == 201, made.text
        return Person(device, made.json()["id"], email)

    async def sign_in(self, person: Person) -> None:
        answer = await person.post("/auth/login", {"email": person.email, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        person.api.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    async def sign_in_at_supabase(self, person: Person) -> None:
        """Sign in with the provider's own client, past our API."""
        key = self.settings.get(f"{PREFIX}SUPABASE_PUBLISHABLE_KEY") or Path(
            self.settings[f"{PREFIX}SUPABASE_PUBLISHABLE_KEY_FILE"]
        ).read_text(encoding="utf-8")
        self._devices.append(http := httpx.AsyncClient(timeout=30))
        client = await create_async_client(
            self.settings[f"{PREFIX}SUPABASE_URL"], key.strip(), AsyncClientOptions(httpx_client=http)
        )
        answer = await client.auth.sign_in_with_password({"email": person.email, "password": PASSWORD})
        assert answer.session
        person.api.headers["authorization"] = f"Bearer {answer.session.access_token}"

    async def close(self) -> None:
        for device in self._devices:
            await device.aclose()


@pytest.fixture(scope="module")
async def town(machine: Path) -> AsyncIterator[Town]:
    """Return a system that is up, in its whole shape where a broker is installed."""
    running = Running(machine / uuid4().hex, *(["--broker"] if is_native() else []))
    opened = Town(running, await asyncio.to_thread(running.wait_until_ready))
    yield opened
    await opened.close()
    running.process.terminate()
    await asyncio.to_thread(running.finish)
    running.close()


async def becomes(person: Person, path: str, status: int) -> None:
    """Wait until a question gets another answer, but no longer than is promised."""
    began = time.monotonic()
    while (answer := await person.get(path)).status_code != status:
        assert time.monotonic() - began < WITHIN, answer.text
        await asyncio.sleep(0.05)


async def test_a_familys_life(town: Town) -> None:  # noqa: PLR0915  a life is long
    mother, ada = await town.register("parent", "Grace"), await town.register("student")
    await town.sign_in(ada)
    await town.sign_in_at_supabase(mother)

    refused = await ada.practise()
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (403, "consent-required")
    assert (await mother.get(f"/progress/{ada.id}")).status_code == 403

    code = (await ada.post(f"/users/{ada.id}/pairing-codes")).json()["code"]
    linked = await mother.post("/guardianships", {"code": code.lower().replace("-", " ")})
    assert linked.status_code == 201
    assert (await ada.practise()).status_code == 403, "a guardian alone is no consent"
    consent = (await mother.post(f"/users/{ada.id}/consents", TERMS)).json()
    practised = await ada.practise()
    assert practised.status_code == 201
    position = practised.headers["event-position"]

    seen = await mother.get(f"/progress/{ada.id}?min_position={position}")
    assert seen.json()["self_reported"]["records"] == 1
    assert "stale-by" not in seen.headers
    profile = await mother.get(f"/users/{ada.id}")
    changed = await mother.api.patch(
        f"/users/{ada.id}", json={"profile": {"name": "Ada L."}}, headers={"if-match": profile.headers["etag"]}
    )
    assert (changed.status_code, changed.json()["profile"]["name"]) == (200, "Ada L.")

    father = await town.register("parent", "Ben")
    await town.sign_in(father)
    code = (await mother.post(f"/users/{ada.id}/pairing-codes")).json()["code"]
    guardianship = (await father.post("/guardianships", {"code": code})).json()
    assert (await father.get(f"/progress/{ada.id}")).status_code == 200
    async with father.api.stream("GET", f"/live/{ada.id}") as stream:
        lines = stream.aiter_lines()
        async with aclosing(lines), asyncio.timeout(30):  # type: ignore[type-var]
            assert (await mother.api.delete(f"/guardianships/{guardianship['id']}")).status_code == 204
            began = time.monotonic()
            async for _ in lines:
                pass
            assert time.monotonic() - began < WITHIN
    await becomes(father, f"/progress/{ada.id}", 403)

    read = (await ada.get(f"/users/{ada.id}/access-log")).json()["items"]
    assert {(one["by"], one["role"]) for one in read} == {(mother.id, "guardian"), (father.id, "guardian")}
    assert {one["what"] for one in read} >= {"GetProgressSummary", "GetUserProfile"}

    assert (await mother.api.delete(f"/users/{ada.id}/consents/{consent['id']}")).status_code == 204
    assert (await ada.practise()).status_code == 403
    exported = await mother.get(f"/users/{ada.id}/export")
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        assert json.loads(archive.read("profile.json"))["name"] == "Ada L."
        assert archive.read("progress.csv").count(b"fractions") == 1
        assert consent["id"].encode() in archive.read("consents.csv")

    assert (await ada.api.delete(f"/users/{ada.id}")).status_code == 403
    assert (await mother.api.delete(f"/users/{ada.id}")).status_code == 204
    assert (await mother.get(f"/progress/{ada.id}")).status_code == 403
    await becomes(ada, f"/users/{ada.id}", 401)
    again = await ada.post("/auth/login", {"email": ada.email, "password": PASSWORD})
    assert again.status_code == 401
    assert (await mother.get("/guardianships")).json() == {"items": []}
    assert (await mother.get(f"/users/{mother.id}")).json()["profile"]["name"] == "Grace"
    assert ada.id in (town.running.directory / "erasures.jsonl").read_text(encoding="utf-8")


MARK = "zqx7f3canary"
"""Stands in every name, e-mail address and preference of those who will be erased, and nowhere else."""
STUDENTS, PARENTS = 100, 5
DONE = """
select (select count(*) from erasures where person_id = any($1::text[]::uuid[])) = cardinality($1)
    and (select max(position) from events) <= (select max(position) from read.cursors)
"""
"""The housekeeper is through with these people, and the projector has seen the whole log."""


@pytest.mark.timeout(300)
async def test_of_a_hundred_erased_students_no_personal_text_is_left_on_any_disk(town: Town) -> None:
    parents = [await town.register("parent") for _ in range(PARENTS)]
    for parent in parents:
        await town.sign_in(parent)

    async def live(parent: Person) -> list[Person]:
        """Let children of a parent register, have their profiles changed and read, and one of them practise."""
        children = []
        for n in range(STUDENTS // PARENTS):
            child = await town.register("student", f"{MARK}{n}", by=parent, consent=TERMS)
            changed = {"profile": {"name": f"New {MARK}", "learning_preferences": [f"{MARK} too"]}}
            assert (await parent.api.patch(f"/users/{child.id}", json=changed)).status_code == 200
            assert MARK in (await parent.get(f"/users/{child.id}")).text
            children.append(child)
        await town.sign_in(children[0])
        assert (await children[0].practise()).status_code == 201
        assert (await parent.get(f"/users/{children[0].id}/export")).status_code == 200
        return children

    families = await asyncio.gather(*map(live, parents))
    assert await in_redis(town), "the profiles were cached"

    for parent, children in zip(parents, families, strict=True):
        for child in children:
            assert (await parent.api.delete(f"/users/{child.id}")).status_code == 204

    ids = [child.id for children in families for child in children]
    database = await asyncpg.connect(town.settings[f"{PREFIX}DATABASE_URL"])

    async def all_is_done() -> bool:
        return bool(await database.fetchval(DONE, ids))

    await eventually(all_is_done, within=60)
    erased = (town.running.directory / "erasures.jsonl").read_text(encoding="utf-8")
    assert all(person_id in erased for person_id in ids)
    for table in ("keys.person_keys where person_id", "auth_standin.users where id", "read.user_profile where user_id"):
        assert await database.fetchval(f"select count(*) from {table} = any($1::text[]::uuid[])", ids) == 0
    await database.close()

    assert await in_redis(town) == []
    data = Path(f"/proc/{town.running.process_id('postgres')}/cwd").resolve()
    assert list(data.glob("pg_wal/0*")), "the write-ahead log is among what is looked through"
    planted = town.running.directory / "planted"
    planted.write_text(f"a page of {MARK}", encoding="utf-8")
    found = await asyncio.to_thread(files_with, MARK.encode(), [town.running.directory, data])
    assert found == [planted], "what is looked for is found where it is, and nowhere else"


async def in_redis(town: Town) -> list[bytes]:
    """Return the keys whose value holds the mark."""
    redis = Redis.from_url(town.settings[f"{PREFIX}REDIS_URL"])
    found = []
    async for key in redis.scan_iter(count=1000):
        value = await redis.dump(key)
        if MARK.encode() in (value or b"") + key or (
            await redis.type(key) == b"string" and MARK.encode() in (await redis.get(key) or b"")
        ):
            found.append(key)
    await redis.aclose()
    return found


def files_with(mark: bytes, places: list[Path]) -> list[Path]:
    """Return the files that hold these bytes, in capitals or not."""
    files = {file for place in places for file in place.rglob("*") if file.is_file()}
    return sorted(file for file in files if mark in file.read_bytes().lower())
