"""User profile: given these events, this is who someone is; names and addresses rest sealed."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from domain.errors import UserUnknown
from projections.user_profile import KEPT, UserProfiles, cache_key, fold
from tests.eventstore.test_log import register
from tests.projections.history import NOON, History, person
from tests.workers.conftest import Platform

ADA, BEN = person(1), person(2)


def test_a_registration_becomes_a_row_whose_personal_columns_stay_sealed() -> None:
    history = History(after=4)
    record = history.register(ADA, timezone="Europe/Rome")

    [row] = UserProfiles().rows(fold(history.seen))["user_profile"]

    assert row.user_id == ADA
    assert (row.role, row.grade_level, row.timezone) == ("student", 3, "Europe/Rome")
    assert (row.position, row.created_at, row.updated_at) == (5, NOON, NOON)
    assert (row.sealed_in, row.sealed_event, row.sealed_schema) == ("UserRegistered", record.event_id, 1)
    assert row.sealed == record.sealed


def test_a_parent_has_a_row_without_a_grade() -> None:
    history = History()
    history.register(BEN, role="parent")

    [row] = UserProfiles().rows(fold(history.seen))["user_profile"]

    assert (row.role, row.grade_level) == ("parent", None)


def test_practice_changes_no_profile() -> None:
    history = History()
    history.practise(ADA)

    assert fold(history.seen) == {}


def test_a_registration_makes_the_cached_profile_stale() -> None:
    assert UserProfiles().cache_key(ADA) == f"user:{ADA}:profile"


async def test_a_profile_reads_the_same_from_log_row_and_cache(platform: Platform, redis_client: Redis) -> None:
    user = await register(platform.store, allowed=False)
    now = datetime.now(UTC)

    from_log = await platform.profile(user, now)
    await platform.project()
    from_row = await platform.profile(user, now)
    from_cache = await platform.profile(user, now)

    [record] = await platform.store.reader.read(0)
    at = record.recorded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert json.loads(from_log) == {
        "id": str(user),
        "email": "ada@example.org",
        "role": "student",
        "profile": {
            "name": "Ada",
            "grade_level": 3,
            "learning_preferences": ["pictures"],
            "timezone": "Europe/Rome",
            "created_at": at,
            "updated_at": at,
        },
    }
    assert from_log == from_row == from_cache == await redis_client.get(cache_key(user))
    ends = datetime.fromtimestamp(await redis_client.pexpiretime(cache_key(user)) / 1000, UTC)
    assert timedelta() <= now + KEPT - ends < timedelta(milliseconds=1)


async def test_names_and_addresses_are_nowhere_in_the_row(platform: Platform) -> None:
    await register(platform.store)
    await platform.project()

    row = await platform.pool.fetchval("select t::text || encode(sealed, 'escape') from read.user_profile_g1 as t")

    assert "Ada" not in row
    assert "ada@example.org" not in row


async def test_nobody_reads_a_profile_whose_key_is_gone(platform: Platform) -> None:
    user = await register(platform.store)
    await platform.project()
    await platform.store.keys._pool.execute("delete from keys.person_keys where person_id = $1", user)
    platform.store.keys._cache.clear()

    with pytest.raises(UserUnknown):
        await platform.profile(user, datetime.now(UTC))


async def test_an_unknown_user_has_no_profile(platform: Platform) -> None:
    with pytest.raises(UserUnknown):
        await platform.profile(ADA, datetime.now(UTC))
