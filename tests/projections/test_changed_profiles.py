"""Changed profiles: whoever looks sees the latest one, and a child's days move with their zone, the past ones not."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from commands.update_profile import UpdateProfile, update_profile
from domain.cause import Receipt
from domain.errors import UserUnknown
from domain.profile import ProfileChanges
from projections.get_progress_summary import AsOf
from projections.progress_summary import cache_key as summary_key
from projections.projection import Projection
from projections.students import STUDENTS
from projections.user_profile import GetUserProfile, Row, Update, UserProfiles, cache_key, fold
from tests.eventstore.conftest import a_cause
from tests.projections.history import NOON, History, person
from tests.projections.stepping import Actor, SteppingValues, Stop
from tests.workers.conftest import Platform, new_projector
from tests.workers.deliveries import Sender
from tests.workers.generations import assert_alike, rebuilt
from tests.workers.read_models import assert_read_models_are_the_fold
from tests.workers.students import practise, register
from workers import filling
from workers.audit import audit

ADA, BEN = person(1), person(2)
ZONES = ("UTC", "Europe/Rome", "Asia/Kathmandu", "America/New_York")
LATER = NOON + timedelta(hours=1)


async def change(platform: Platform, user: UUID, **changes: Any) -> Receipt:  # noqa: ANN401  as ProfileChanges has them
    command = UpdateProfile(cause=a_cause(user), user_id=user, changes=ProfileChanges(**changes))  # type: ignore[typeddict-item]
    return await update_profile(platform.store.log, platform.profile, command)


async def profile_of(platform: Platform, user: UUID) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(await platform.profile(user, datetime.now(UTC)))
    return shown


def test_a_change_keeps_what_the_registration_said_of_the_account() -> None:
    history = History()
    registered = history.register(ADA, timezone="Europe/Rome")
    history.update_profile(ADA)
    changed = history.update_profile(ADA, timezone="Asia/Kathmandu", recorded_at=LATER)

    [row] = UserProfiles().rows(fold(history.seen))["user_profile"]

    assert (row.role, row.grade_level, row.timezone, row.position) == ("student", 4, "Asia/Kathmandu", 3)
    assert (row.created_at, row.recorded_at, row.updated_at) == (NOON, LATER, LATER)
    assert (row.sealed_event, row.sealed) == (registered.event_id, registered.sealed)
    assert (row.profile_event, row.profile_schema, row.profile_sealed) == (changed.event_id, 1, changed.sealed)


def test_a_change_alone_is_no_row() -> None:
    history = History(after=7)
    history.update_profile(ADA)

    changes = fold(history.seen)

    assert isinstance(changes[ADA], Update)
    assert UserProfiles().rows(changes) == {"user_profile": []}
    assert set(Update._fields) < set(Row._fields)


async def test_a_changed_profile_reads_the_same_from_log_row_and_cache(platform: Platform, redis_client: Redis) -> None:
    user = await register(platform.store)
    await platform.project()
    before = await profile_of(platform, user)
    receipt = await change(platform, user, name="Ada Lovelace", grade_level=5, learning_preferences=("stories",))

    from_log = (await platform.profile.at(user)).body
    await platform.project()
    from_row = await platform.profile(user, datetime.now(UTC))
    from_cache = await platform.profile(user, datetime.now(UTC))

    assert from_log == from_row == from_cache == await redis_client.get(cache_key(user))
    assert json.loads(from_log) == before | {
        "profile": before["profile"]
        | {
            "name": "Ada Lovelace",
            "grade_level": 5,
            "learning_preferences": ["stories"],
            "updated_at": receipt.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
    }


async def test_names_are_nowhere_in_the_row(platform: Platform) -> None:
    user = await register(platform.store)
    await change(platform, user, name="Ada Lovelace")
    await platform.project()

    row = await platform.pool.fetchval(
        "select t::text || encode(sealed, 'escape') || encode(profile_sealed, 'escape') from read.user_profile as t"
    )

    assert "profile_sealed" not in row
    assert "Ada" not in row


async def test_nobody_reads_a_changed_profile_whose_key_is_gone(platform: Platform) -> None:
    user = await register(platform.store)
    await change(platform, user, name="Ada Lovelace")
    await platform.project()
    await platform.store.keys._pool.execute("delete from keys.person_keys where person_id = $1", user)
    platform.store.keys._cache.clear()

    with pytest.raises(UserUnknown):
        await platform.profile(user, datetime.now(UTC))


async def test_a_childs_days_move_with_their_zone_and_those_of_the_past_stay(platform: Platform) -> None:
    student = await register(platform.store, timezone="Pacific/Kiritimati")
    at = datetime.now(UTC).replace(hour=1, minute=0) - timedelta(days=2)
    practised = await practise(platform.store, student, occurred_at=at)
    changed = await change(platform, student, timezone="Pacific/Honolulu")
    await platform.project()
    noon = at.replace(hour=12)

    answer = json.loads((await platform.summary.now(student, noon)).body)
    past = json.loads((await platform.summary.past(student, AsOf(position=practised.last, day=at.date()))).body)
    present = json.loads((await platform.summary.past(student, AsOf(position=changed.last, day=at.date()))).body)

    assert (answer["as_of"]["position"], answer["as_of"]["date"]) == (changed.last, str(at.date()))
    assert answer["streak"] == {"days": 1, "through": str(at.date() - timedelta(days=1))}
    assert present["streak"] == answer["streak"]
    assert past["streak"] == {"days": 1, "through": str(at.date())}


async def test_a_parents_change_makes_no_summary(platform: Platform) -> None:
    history = History()
    history.register(BEN, role="parent")
    history.update_profile(BEN, role="parent", timezone="Asia/Kathmandu")
    sender = Sender()

    for record in history.records:
        await platform.projector.apply(sender.pack([record]))

    assert await platform.pool.fetchval("select count(*) from read.progress_students") == 0
    assert await platform.pool.fetchval("select timezone from read.user_profile") == "Asia/Kathmandu"


async def test_cached_values_follow_a_change(platform: Platform, redis_client: Redis) -> None:
    user = await register(platform.store)
    await platform.project()
    now = datetime.now(UTC)
    await asyncio.gather(platform.profile(user, now), platform.summary.now(user, now))
    assert await redis_client.exists(cache_key(user), summary_key(user)) == 2

    await change(platform, user, name="Ada Lovelace", timezone="Pacific/Kiritimati")
    await platform.project()

    assert await redis_client.exists(cache_key(user), summary_key(user)) == 0
    assert (await profile_of(platform, user))["profile"]["name"] == "Ada Lovelace"
    late = now.replace(hour=23)
    summary = json.loads((await platform.summary.now(user, late)).body)
    assert summary["as_of"]["date"] == str(late.date() + timedelta(days=1))


async def test_read_models_of_changed_profiles_pass_the_audit(platform: Platform) -> None:
    users = [await register(platform.store) for _ in range(4)]
    await platform.project()
    for n in range(3):
        await asyncio.gather(*(change(platform, user, name=f"{n}", grade_level=n) for user in users))
        await practise(platform.store, users[n])
        await platform.project()
    for user in users:
        await platform.profile(user, datetime.now(UTC))

    audited = await audit(platform.pool, platform.cache, list(platform.projector._projections.values()))

    assert audited.differences == []
    assert (audited.students, audited.values) == (4, 4)
    await assert_read_models_are_the_fold(platform)


@pytest.mark.parametrize("projection", STUDENTS, ids=lambda projection: projection.name)
async def test_a_rebuild_makes_the_same_of_changed_profiles_in_many_pages(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, projection: Projection
) -> None:
    monkeypatch.setattr(filling, "PAGE", 3)
    users = [await register(platform.store) for _ in range(4)]
    for n in range(4):
        await asyncio.gather(*(change(platform, user, name=f"{n}", timezone=ZONES[n]) for user in users[n:]))
        await practise(platform.store, users[n])
    await platform.project()

    await rebuilt(platform, projection, flush=5)

    await assert_alike(platform, projection, 1, 2)
    await change(platform, users[0], name="after")
    await platform.project()
    await assert_alike(platform, projection, 1, 2)


async def test_in_no_order_of_reader_and_projector_does_an_older_profile_survive(
    platform: Platform, redis_client: Redis
) -> None:
    user = await register(platform.store)
    await platform.project()
    projector = new_projector(platform.pool, platform.cache)
    await projector.refresh_cache()

    async def read(stop: Stop) -> None:
        store, values = platform.store, SteppingValues(platform.cache, stop)
        await GetUserProfile(platform.pool, store.reader, store.keys, values)(user, datetime.now(UTC))

    for n, order in enumerate(sorted(set(permutations("rrrpp")))):
        await redis_client.delete(cache_key(user))
        receipt = await change(platform, user, name=f"Ada {n}")
        delivery = Sender().pack(await platform.store.reader.read(receipt.last - 1))

        async def apply(stop: Stop, delivery: Any = delivery) -> None:  # noqa: ANN401  a delivery
            projector._cache = SteppingValues(platform.cache, stop)
            await projector.apply(delivery)

        actors = {"r": Actor(read), "p": Actor(apply)}
        for who in order:
            await actors[who].step()

        now = await platform.profile(user, datetime.now(UTC))
        assert now == (await platform.profile.at(user)).body, order
        assert await redis_client.get(cache_key(user)) == now, order
