"""Verdict: the journal of all clients held against the log, and every read model against the oracle."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import asyncpg
from redis.asyncio import Redis

from tests.faults import oracle
from tests.faults.journal import Journal, Sent

Sending = dict[tuple[str, int], Sent]


def check_log(rows: Sequence[oracle.Row]) -> None:
    """Positions are 1, 2, 3 …, as are the versions of every stream, and time does not go back."""
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(a["recorded_at"] <= b["recorded_at"] for a, b in pairwise(rows))
    versions: Counter[str] = Counter()
    for row in rows:
        versions[row["stream"]] += 1
        assert row["version"] == versions[row["stream"]]


async def check_commands(connection: asyncpg.Connection, rows: Sequence[oracle.Row]) -> None:
    """Every event stands where its command says, and no command, and so no key, is there twice."""
    commands = await connection.fetch("select command_id, first_position, last_position from commands")
    said = {c["command_id"]: list(range(c["first_position"], c["last_position"] + 1)) for c in commands}
    found: dict[Any, list[int]] = {}
    for row in rows:
        found.setdefault(row["command_id"], []).append(row["position"])
    assert found == said


def check_journal(journal: Journal, rows: Sequence[oracle.Row]) -> None:
    """Whatever was acknowledged is there once, as it was sent and answered; nothing is there that nobody sent."""
    sent: Sending = {(s.student, s.body["time_spent"]): s for s in journal.sent}
    assert len(sent) == len(journal.sent)
    assert oracle.poisoned(rows) == journal.poisoned
    reports = [row for row in rows if row["type"] == "ProgressRecorded" and row["schema"] == oracle.SCHEMA]
    in_log = [(str(row["subject"]), json.loads(row["data"])["time_spent"]) for row in reports]

    assert [key for key, count in Counter(in_log).items() if count > 1] == []
    assert [key for key in in_log if key not in sent] == []
    assert [key for key, s in sent.items() if s.answers and key not in set(in_log)] == []
    for key, row in zip(in_log, reports, strict=True):
        _check_report(sent[key], row)


def _check_report(sent: Sent, row: oracle.Row) -> None:
    data = json.loads(row["data"])
    asked = {name: sent.body[name] for name in ("subject", "topic", "time_spent", "completed")}
    assert {**data, "score": data["score"] / 100} == asked | {"score": sent.body["score"], "source": "self_reported"}
    if "occurred_at" in sent.body:
        assert row["occurred_at"].isoformat() == sent.body["occurred_at"]
    assert row["position"] > sent.sent_after
    answers = {position: json.loads(body) for position, body in sent.answers}
    for position, answer in answers.items():
        assert position == row["position"]
        assert answer["id"] == str(row["event_id"])
        assert {name: answer[name] for name in asked} == asked
        assert answer["score"] == sent.body["score"]
        for name, column in (("occurred_at", "occurred_at"), ("created_at", "recorded_at")):
            assert answer[name].replace("Z", "+00:00") == row[column].isoformat()
    assert len({body for _, body in sent.answers}) <= 1, "a repeat was answered differently"


def check_reads(journal: Journal, everyone: dict[str, oracle.Life]) -> None:
    """Every summary that anyone read is the oracle's at its `as_of`, and holds what its reader asked for."""
    for read in set(journal.reads):
        shown = json.loads(read.body)
        position, day = shown["as_of"]["position"], date.fromisoformat(shown["as_of"]["date"])
        life = everyone[read.student]
        assert shown == oracle.summary(life.until(position), day)
        if read.min_position is not None and not read.stale_by:
            assert life.until(read.min_position).last[0] <= position
            assert read.min_position < journal.poisoned.get(read.student, read.min_position + 1)


async def check_read_models(connection: asyncpg.Connection, everyone: dict[str, oracle.Life]) -> None:
    """Every row of every read model is the oracle's."""
    expected = oracle.read_models(everyone)
    for name, query in oracle.READ_MODELS.items():
        assert sorted(tuple(row) for row in await connection.fetch(query)) == expected[name], name


async def check_counts(connection: asyncpg.Connection, rows: Sequence[oracle.Row]) -> None:
    """In every part each projection has folded or set aside every event it handles, and set aside what it must."""
    parked = oracle.parked(rows)
    generations = await connection.fetch("select projection, generation from read.generations where state <> 'filling'")
    stored = await connection.fetch("select projection, generation, position from read.parked_events")
    assert {tuple(row) for row in stored} == {
        (projection, generation, position)
        for projection, generation in map(tuple, generations)
        for of, position in parked
        if of == projection
    }
    cursors = await connection.fetch(
        """
        select projection, generation, part, position, applied, parked
        from read.cursors join read.generations using (projection, generation) where state <> 'filling'
        """
    )
    of_part: dict[int, list[oracle.Row]] = {part: [] for part in range(64)}
    for row in rows:
        of_part[row["part"]].append(row)
    for projection, generation, part, position, *counts in cursors:
        handled = [
            row["position"]
            for row in of_part[part]
            if row["position"] <= position and row["type"] in oracle.HANDLED[projection]
        ]
        aside = sum((projection, each) in parked for each in handled)
        assert counts == [len(handled) - aside, aside], (projection, generation, part)


async def check_relay(connection: asyncpg.Connection, rows: Sequence[oracle.Row]) -> None:
    """The relay's checkpoint is the head of the log: the broker has confirmed all of it."""
    [checkpoint] = await connection.fetch("select position, event_id from fanout.relay")
    assert tuple(checkpoint) == (rows[-1]["position"], rows[-1]["event_id"])


def check_arrivals(arrived: set[int], rows: Sequence[oracle.Row]) -> None:
    """Everything that the relay takes to be confirmed has reached a queue that was there all the time."""
    assert {row["position"] for row in rows} - arrived == set()


async def is_redis_true(redis: Redis, everyone: dict[str, oracle.Life], at_least: int = 0) -> bool:
    """Tell whether so many summaries are in Redis and every one is the oracle's of the whole log."""
    found = [key async for key in redis.scan_iter("user:*:progress")]
    for key in found:
        shown = json.loads(await redis.get(key) or b"")
        life = everyone[shown["student_id"]]
        if shown != oracle.summary(life, date.fromisoformat(shown["as_of"]["date"])):
            return False
    return len(found) >= at_least
