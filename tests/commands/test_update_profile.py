"""UpdateProfile: it records, it refuses, it stays quiet when repeated, and no change is ever lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from adapters.cache import Cache
from commands.ports import History
from commands.update_profile import UpdateProfile, update_profile
from domain.cause import Cause, Receipt
from domain.errors import ChangedMeanwhile, InvalidValue, NotAllowed, ProfileUnchanged
from domain.events import Role
from domain.profile import Profile, ProfileChanges
from domain.user import User
from eventstore.log import EventLog
from projections.user_profile import GetUserProfile
from tests.eventstore.conftest import Store, a_cause


@pytest.fixture
async def profiles(store: Store) -> AsyncIterator[GetUserProfile]:
    """Return profiles as the log has them."""
    cache = Cache("redis://127.0.0.1:1/0")
    yield GetUserProfile(store.pool, store.reader, store.keys, cache)
    await cache.close()


async def register(store: Store, role: Role = "student") -> UUID:
    """Open an account and do nothing else."""
    user = uuid4()
    profile = Profile(name="Ada", grade_level=3, learning_preferences=("pictures",), timezone="Europe/Rome")

    async def decide(history: History) -> None:
        history.save(User.register(user, role, "ada@example.org", profile, datetime.now(UTC)))

    await store.keys.create(user)
    await store.log.execute(a_cause(user), decide)
    return user


async def relate(store: Store, parent_id: UUID, child_id: UUID, *, end: bool = False) -> None:
    """Make a parent a guardian, or end that."""

    async def decide(history: History) -> None:
        parent, child = await history.load(User, parent_id), await history.load(User, child_id)
        assert parent
        assert child
        (parent.unlink_child if end else parent.link_child)(child, datetime.now(UTC))
        history.save(parent, child)

    await store.log.execute(a_cause(parent_id), decide)


def an_update(
    user_id: UUID, changes: ProfileChanges, *, cause: Cause | None = None, only_if: set[str] | None = None
) -> UpdateProfile:
    return UpdateProfile(cause=cause or a_cause(user_id), user_id=user_id, changes=changes, only_if=only_if)


async def test_a_change_is_recorded_with_the_whole_profile_whose_personal_fields_are_sealed(
    store: Store, profiles: GetUserProfile
) -> None:
    student = await register(store)

    receipt = await update_profile(store.log, profiles, an_update(student, {"grade_level": 4, "name": "Ada Lovelace"}))

    [_, record] = await store.reader.stream(f"user-{student}")
    assert (record.position, record.type, record.version) == (receipt.last, "ProfileUpdated", 2)
    assert json.loads(record.data) == {"role": "student", "grade_level": 4, "timezone": "Europe/Rome"}
    assert record.sealed
    assert b"Lovelace" not in record.sealed
    now = (await profiles.at(student)).profile
    assert (now.name, now.grade_level, now.learning_preferences) == ("Ada Lovelace", 4, ("pictures",))


async def test_the_profile_of_every_version_stays_what_it_was(store: Store, profiles: GetUserProfile) -> None:
    student = await register(store)
    before = await profiles.at(student)
    for name in ("B", "C"):
        await update_profile(store.log, profiles, an_update(student, {"name": name}))

    shown = [await profiles.at(student, version) for version in (1, 2, 3, None)]

    assert [one.profile.name for one in shown] == ["Ada", "B", "C", "C"]
    assert shown[0] == before
    assert len({one.tag for one in shown}) == 3


async def test_a_guardian_changes_a_childs_profile_until_they_are_none(store: Store, profiles: GetUserProfile) -> None:
    parent, child = await register(store, "parent"), await register(store)
    await relate(store, parent, child)
    await update_profile(store.log, profiles, an_update(child, {"name": "Bo"}, cause=a_cause(parent)))
    await relate(store, parent, child, end=True)

    with pytest.raises(NotAllowed):
        await update_profile(store.log, profiles, an_update(child, {"name": "Cy"}, cause=a_cause(parent)))

    assert (await profiles.at(child)).profile.name == "Bo"


async def test_nobody_else_changes_it_nor_learns_whether_it_is_there(store: Store, profiles: GetUserProfile) -> None:
    student = await register(store)

    for unknown in (student, uuid4()):
        with pytest.raises(NotAllowed):
            await update_profile(
                store.log, profiles, an_update(unknown, {"name": "B"}, cause=a_cause(uuid4()), only_if={"another"})
            )


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"grade_level": None}, "profile.grade_level"), ({"timezone": "Mars/Olympus"}, "profile.timezone")],
)
async def test_a_profile_that_could_not_be_registered_is_refused(
    store: Store, profiles: GetUserProfile, changes: ProfileChanges, field: str
) -> None:
    student = await register(store)

    with pytest.raises(InvalidValue) as refusal:
        await update_profile(store.log, profiles, an_update(student, changes))

    assert refusal.value.facts["field"] == field
    assert await store.reader.head() == 1


@pytest.mark.parametrize("changes", [{}, {"name": "Ada"}, {"grade_level": 3, "learning_preferences": ("pictures",)}])
async def test_what_is_so_already_is_no_fact(store: Store, profiles: GetUserProfile, changes: ProfileChanges) -> None:
    student = await register(store)

    with pytest.raises(ProfileUnchanged):
        await update_profile(store.log, profiles, an_update(student, changes))

    assert await store.reader.head() == 1


async def test_a_repeat_adds_nothing_although_the_condition_holds_no_more(
    store: Store, profiles: GetUserProfile
) -> None:
    student = await register(store)
    command = an_update(student, {"name": "B"}, only_if={(await profiles.at(student)).tag})
    first = await update_profile(store.log, profiles, command)

    again = await update_profile(store.log, profiles, command)

    assert again == replace(first, repeated=True)
    assert await store.reader.head() == 2


async def test_who_saw_another_profile_changes_nothing(store: Store, profiles: GetUserProfile) -> None:
    student = await register(store)
    seen = (await profiles.at(student)).tag
    await update_profile(store.log, profiles, an_update(student, {"name": "B"}))

    with pytest.raises(ChangedMeanwhile):
        await update_profile(store.log, profiles, an_update(student, {"name": "C"}, only_if={seen}))
    await update_profile(
        store.log, profiles, an_update(student, {"name": "D"}, only_if={seen, (await profiles.at(student)).tag})
    )

    assert (await profiles.at(student)).profile.name == "D"


async def test_of_many_who_saw_the_same_profile_exactly_one_changes_it(store: Store, profiles: GetUserProfile) -> None:
    """Each of the three processes remembers states of its own, so that some decide on what is gone."""
    student = await register(store)
    log = store.log
    logs = [EventLog(log.reader, log._appender, log._keys, log._fingerprints) for _ in range(3)]
    for n in range(10):
        seen = (await profiles.at(student)).tag

        outcomes = await asyncio.gather(
            *(
                update_profile(logs[m % 3], profiles, an_update(student, {"name": f"{n}.{m}"}, only_if={seen}))
                for m in range(12)
            ),
            return_exceptions=True,
        )

        [won] = [m for m, outcome in enumerate(outcomes) if isinstance(outcome, Receipt)]
        assert sum(isinstance(outcome, ChangedMeanwhile) for outcome in outcomes) == 11, outcomes
        assert (await profiles.at(student)).profile.name == f"{n}.{won}"
    assert await store.reader.head() == 11


async def test_changes_of_different_fields_at_the_same_time_are_all_kept(
    store: Store, profiles: GetUserProfile
) -> None:
    student = await register(store)
    changes: list[ProfileChanges] = [{"name": "B"}, {"grade_level": 5}, {"timezone": "UTC"}]

    await asyncio.gather(*(update_profile(store.log, profiles, an_update(student, one)) for one in changes))

    now = (await profiles.at(student)).profile
    assert (now.name, now.grade_level, now.timezone) == ("B", 5, "UTC")
