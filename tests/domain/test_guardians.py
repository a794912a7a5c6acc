"""Guardians: linked by a code that works once, unlinked with all they consented to; and staff roles."""

from datetime import timedelta
from typing import cast
from uuid import uuid4

import pytest

from domain.consent import POLICY, Terms
from domain.errors import NotAllowed, PairingCodeRefused, RoleUnchanged
from domain.events import (
    ChildUnlinked,
    ConsentWithdrawn,
    Event,
    GuardianRemoved,
    PairingCodeIssued,
    PairingCodeUsed,
    StaffRoleGranted,
)
from domain.user import CODE_LIVES, User
from tests.domain.people import NOW, a_user

TERMS = Terms(policy_version=POLICY, scopes=("learning",), country="IT")


def pending(user: User) -> list[Event]:
    return cast("list[Event]", list(user.collect_events()))


def a_family() -> tuple[User, User]:
    """Return a parent and their child."""
    parent, child = a_user("parent"), a_user("student")
    parent.link_child(child, NOW)
    pending(parent)
    pending(child)
    return parent, child


def test_a_child_without_a_guardian_makes_a_code_for_the_first() -> None:
    child = a_user("student")

    child.issue_code(child.id, "hash", NOW)

    assert pending(child) == [
        PairingCodeIssued(
            originator_id=child.id,
            originator_version=2,
            timestamp=NOW,
            code_hash="hash",
            expires_at=NOW + timedelta(days=1),
        )
    ]


def test_a_child_with_a_guardian_makes_no_code_but_the_guardian_does() -> None:
    parent, child = a_family()

    with pytest.raises(NotAllowed):
        child.issue_code(child.id, "hash", NOW)
    child.issue_code(parent.id, "hash", NOW)

    assert len(pending(child)) == 1


def test_nobody_else_makes_a_code_and_none_is_made_for_a_parent() -> None:
    parent, child = a_family()

    for user, by in ((child, uuid4()), (parent, parent.id), (parent, child.id)):
        with pytest.raises(NotAllowed):
            user.issue_code(by, "hash", NOW)


def test_a_code_works_once() -> None:
    child = a_user("student")
    child.issue_code(child.id, "hash", NOW)

    child.use_code("hash", NOW + CODE_LIVES - timedelta(microseconds=1))

    assert isinstance(pending(child)[-1], PairingCodeUsed)
    with pytest.raises(PairingCodeRefused):
        child.use_code("hash", NOW)


@pytest.mark.parametrize(("code", "later"), [("hash", CODE_LIVES), ("hash", timedelta(days=9)), ("other", timedelta())])
def test_a_code_that_is_too_old_or_unknown_is_refused(code: str, later: timedelta) -> None:
    child = a_user("student")
    child.issue_code(child.id, "hash", NOW)
    pending(child)

    with pytest.raises(PairingCodeRefused):
        child.use_code(code, NOW + later)

    assert pending(child) == []


def test_whoever_was_a_guardian_comes_back_by_no_code_of_before() -> None:
    parent, child = a_family()
    child.issue_code(parent.id, "hash", NOW)
    parent.unlink_child(child, NOW)

    with pytest.raises(PairingCodeRefused):
        child.use_code("hash", NOW)


def test_unlinking_ends_the_consents_of_that_guardian_and_no_others() -> None:
    parent, child = a_family()
    other = a_user("parent")
    other.link_child(child, NOW)
    kept, ended, withdrawn = uuid4(), uuid4(), uuid4()
    child.grant_consent(TERMS, other.id, kept, NOW)
    child.grant_consent(TERMS, parent.id, ended, NOW)
    child.grant_consent(TERMS, parent.id, withdrawn, NOW)
    child.withdraw_consent(withdrawn, other.id, NOW)
    pending(child)

    parent.unlink_child(child, NOW)

    assert pending(child) == [
        ConsentWithdrawn(originator_id=child.id, originator_version=8, timestamp=NOW, consent_id=ended),
        GuardianRemoved(originator_id=child.id, originator_version=9, timestamp=NOW, guardian_id=parent.id),
    ]
    assert pending(parent) == [
        ChildUnlinked(originator_id=parent.id, originator_version=3, timestamp=NOW, child_id=child.id)
    ]
    assert (parent.children, child.guardians) == (frozenset(), frozenset({other.id}))


def test_who_is_no_guardian_cannot_be_unlinked() -> None:
    stranger, child = a_user("parent"), a_user("student")

    with pytest.raises(NotAllowed):
        stranger.unlink_child(child, NOW)


def test_who_was_unlinked_may_be_linked_again() -> None:
    parent, child = a_family()
    parent.unlink_child(child, NOW)

    parent.link_child(child, NOW)

    assert parent.children == {child.id}


def test_a_role_is_given_once_and_taken_back() -> None:
    adult = a_user("parent")

    adult.grant_role("analyst", NOW)
    with pytest.raises(RoleUnchanged):
        adult.grant_role("analyst", NOW)
    granted, held = pending(adult), adult.staff_roles
    adult.revoke_role("analyst", NOW)
    with pytest.raises(RoleUnchanged):
        adult.revoke_role("analyst", NOW)

    assert granted == [StaffRoleGranted(originator_id=adult.id, originator_version=2, timestamp=NOW, role="analyst")]
    assert len(pending(adult)) == 1
    assert (held, adult.staff_roles) == (frozenset({"analyst"}), frozenset())


def test_no_student_is_staff() -> None:
    with pytest.raises(NotAllowed):
        a_user("student").grant_role("admin", NOW)
