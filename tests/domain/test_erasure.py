"""Erasure: who may ask for it, what it ends, and when the schedule of retention does."""

from datetime import timedelta

import pytest

from domain.access import may_erase
from domain.consent import POLICY, Terms
from domain.retention import INACTIVE, SCHEDULE, UNLINKED, is_due
from domain.user import User
from tests.domain.people import NOW, a_user

DAY = timedelta(days=1)


def a_family() -> tuple[User, User, User]:
    """Return two guardians and their child, to whose learning the first consents."""
    mother, father, child = a_user("parent"), a_user("parent"), a_user("student")
    mother.link_child(child, NOW)
    father.link_child(child, NOW)
    child.grant_consent(Terms(policy_version=POLICY, scopes=("learning",), country="IT"), mother.id, mother.id, NOW)
    for one in (mother, father, child):
        one.collect_events()
    return mother, father, child


def kinds(person: User) -> list[str]:
    """Return what is new about a person, by the names of the events."""
    return [type(event).__name__ for event in person.collect_events()]


def test_guardians_may_have_their_child_erased_and_whoever_has_none_themself() -> None:
    mother, father, child = a_family()
    stranger, alone = a_user("parent"), a_user("student")

    assert may_erase(mother.id, child)
    assert may_erase(father.id, child)
    assert may_erase(mother.id, mother)
    assert may_erase(alone.id, alone)
    assert not may_erase(child.id, child)
    assert not may_erase(child.id, mother)
    assert not may_erase(stranger.id, child)
    assert not may_erase(mother.id, father)


def test_with_a_child_its_guardianships_end() -> None:
    mother, father, child = a_family()

    child.erase([mother, father], "asked", NOW)

    assert kinds(child) == ["UserErased"]
    for guardian in (mother, father):
        assert kinds(guardian) == ["ChildUnlinked"]
        assert guardian.children == frozenset()
    assert child.is_erased
    assert (child.guardians, child.consents, child.codes) == (frozenset(), {}, {})


def test_with_a_parent_their_consents_end_and_the_other_guardian_stays() -> None:
    mother, father, child = a_family()

    mother.erase([child], "asked", NOW + DAY)

    assert kinds(mother) == ["UserErased"]
    assert kinds(child) == ["ConsentWithdrawn", "GuardianRemoved"]
    assert child.guardians == {father.id}
    assert child.alone_since is None
    assert mother.is_erased
    assert not mother.children


def test_a_student_is_alone_from_the_registration_or_the_last_guardian_on() -> None:
    mother, father, child = a_family()
    assert a_user("student").alone_since == NOW
    assert a_user("parent").alone_since is None
    assert child.alone_since is None

    mother.unlink_child(child, NOW + DAY)
    assert child.alone_since is None
    father.unlink_child(child, NOW + 2 * DAY)
    assert child.alone_since == NOW + 2 * DAY


@pytest.mark.parametrize(("after", "due"), [(UNLINKED.age - timedelta(microseconds=1), False), (UNLINKED.age, True)])
def test_whoever_waits_for_a_guardian_has_fourteen_days(after: timedelta, *, due: bool) -> None:
    assert UNLINKED.days == 14

    assert is_due(a_user("student"), "unlinked", NOW + after) is due


def test_nobody_with_a_guardian_and_no_parent_is_erased_for_being_alone() -> None:
    *_, child = a_family()

    assert not is_due(child, "unlinked", NOW + 100 * DAY)
    assert not is_due(a_user("parent"), "unlinked", NOW + 100 * DAY)


def test_every_rule_of_the_schedule_ends() -> None:
    assert all(0 < rule.days <= INACTIVE.days for rule in SCHEDULE)
