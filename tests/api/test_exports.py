"""Exports: a person and their guardians get everything, nobody else gets anything."""

import csv
import io
import json
import time
import zipfile
from datetime import UTC, datetime
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from adapters.wiring import Backend
from domain.consent import POLICY
from eventstore.append import Append, EventRow
from eventstore.appender import Appender
from eventstore.codec import stream_of
from eventstore.record import part_of
from tests.workers.running import eventually

from .people import Family, Person, Register


async def export(client: httpx.AsyncClient, who: Person, of: UUID) -> zipfile.ZipFile:
    answer = await client.get(f"/users/{of}/export", headers=who.headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["cache-control"] == "no-store"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    return archive


def lines(archive: zipfile.ZipFile) -> list[dict[str, object]]:
    return [json.loads(line) for line in archive.read("events.jsonl").splitlines()]


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))


@pytest.fixture
def backend(app: FastAPI) -> Backend:
    opened: Backend = app.state.backend
    return opened


@pytest.fixture
async def child(client: httpx.AsyncClient, register: Register, parent: Person) -> Person:
    """Return a child with two reports and a consent."""
    child = await register("student", by=parent, scopes=("learning", "research"))
    for topic in ("fractions", "=cmd|calc"):
        body = {"student_id": str(child.id), "subject": "math", "topic": topic, "score": 87.5, "time_spent": 9}
        answer = await client.post("/progress", json=body | {"completed": True}, headers=child.headers)
        assert answer.status_code == 201, answer.text
    return child


@pytest.fixture
async def parent(register: Register) -> Person:
    return await register("parent")


async def test_an_export_holds_every_event_with_its_personal_fields(
    client: httpx.AsyncClient, parent: Person, child: Person, backend: Backend
) -> None:
    archive = await export(client, child, child.id)

    told = lines(archive)
    stored = await backend.reader.read(0, subject=child.id)
    assert [one["position"] for one in told] == [record.position for record in stored]
    registered = told[0]["data"]
    assert isinstance(registered, dict)
    assert (registered["name"], registered["email"]) == ("Ada", child.email)
    profile = json.loads(archive.read("profile.json"))
    assert (profile["id"], profile["email"], profile["role"]) == (str(child.id), child.email, "student")
    assert parent.email.encode() not in b"".join(archive.read(name) for name in archive.namelist())


async def test_the_family_takes_along_who_else_has_read(
    client: httpx.AsyncClient, parent: Person, child: Person, backend: Backend
) -> None:
    await client.get(f"/users/{child.id}", headers=parent.headers)
    await eventually(lambda: is_recorded(backend, child))

    rows = table(await export(client, child, child.id), "reads.csv")

    assert [(row["actor"], row["role"], row["what"]) for row in rows] == [
        (str(parent.id), "guardian", "GetUserProfile")
    ]


async def is_recorded(backend: Backend, child: Person) -> bool:
    return bool(await backend.pool.fetchval("select count(*) from reads where student = $1", child.id))


async def test_tables_are_safe_to_open_in_a_spreadsheet(
    client: httpx.AsyncClient, parent: Person, child: Person
) -> None:
    archive = await export(client, parent, child.id)

    reports, consents = table(archive, "progress.csv"), table(archive, "consents.csv")

    assert [(row["topic"], row["score"], row["completed"]) for row in reports] == [
        ("fractions", "87.5", "True"),
        ("'=cmd|calc", "87.5", "True"),
    ]
    [consent] = consents
    assert (consent["guardian_id"], consent["policy_version"], consent["scopes"], consent["withdrawn_at"]) == (
        str(parent.id),
        POLICY,
        "learning research",
        "",
    )


async def test_nobody_else_gets_an_export(client: httpx.AsyncClient, family: Family, child: Person) -> None:
    for whose in (child.id, uuid4()):
        answer = await client.get(f"/users/{whose}/export", headers=family.stranger.headers)
        assert answer.status_code == 403

    assert (await client.get(f"/users/{child.id}/export")).status_code == 401


async def test_ten_thousand_events_take_a_minute_at_most_and_little_memory(
    client: httpx.AsyncClient, child: Person, backend: Backend
) -> None:
    appender = Appender(backend.settings.database_url.get_secret_value())
    await appender.start()
    for _ in range(20):
        await appender.append(_reports(child.id, 500))
    await appender.stop()
    began = time.monotonic()

    archive = await export(client, child, child.id)

    took = time.monotonic() - began
    assert len(lines(archive)) == 10_002 + len(("UserRegistered", "GuardianAdded", "ConsentGranted"))
    assert len(table(archive, "progress.csv")) == 10_002
    assert took < 60


def _reports(student: UUID, count: int) -> Append:
    data = json.dumps(
        {"subject": "a", "topic": "b", "score": 1, "time_spent": 1, "completed": True, "source": "self_reported"}
    )
    command_id = uuid4()
    rows = [
        EventRow(
            part=part_of(student, ""),
            stream=stream_of("practice", student),
            version=0,
            event_id=uuid4(),
            type="ProgressRecorded",
            schema=1,
            subject=student,
            command_id=command_id,
            causation_id=command_id,
            correlation_id=command_id,
            actor=student,
            on_behalf_of=None,
            consent_id=None,
            traceparent=None,
            occurred_at=datetime.now(UTC),
            data=data,
            sealed=None,
            commitment=None,
        )
        for _ in range(count)
    ]
    return Append(
        command_id=command_id, operation="Test", fingerprint=b"0" * 32, fingerprint_key=1, rows=rows, heads=[]
    )
