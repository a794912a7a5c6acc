"""User: registered once, linked by pairs of facts, and the same person after every replay."""

from datetime import timedelta
from typing import cast
from uuid import UUID, uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from domain.errors import InvalidValue, NotAllowed, ProfileUnchanged
from domain.events import ChildLinked, Event, GuardianAdded, ProfileUpdated, Role, UserRegistered
from domain.profile import Profile
from domain.user import User
from eventstore.codec import decode
from tests.domain.people import NOW, a_profile, a_user
from tests.eventstore.test_codec import stored


def pending(user: User) -> list[Event]:
    return cast("list[Event]", list(user.collect_events()))


def test_registering_opens_a_history_with_everything_that_was_said() -> None:
    user_id = uuid4()

    user = User.register(user_id, "student", "ada@example.org", a_profile(), NOW)

    assert pending(user) == [
        UserRegistered(
            originator_id=user_id,
            originator_version=1,
            timestamp=NOW,
            role="student",
            grade_level=3,
            timezone="Europe/Rome",
            email="ada@example.org",
            name="Ada",
            learning_preferences=("pictures",),
        )
    ]


def test_a_changed_profile_is_told_as_a_whole() -> None:
    user = a_user("student")

    user.update_profile(a_profile(), {"name": "Ada L.", "timezone": "UTC"}, NOW)

    assert user.timezone == "UTC"
    assert pending(user) == [
        ProfileUpdated(
            originator_id=user.id,
            originator_version=2,
            timestamp=NOW,
            role="student",
            grade_level=3,
            timezone="UTC",
            name="Ada L.",
            learning_preferences=("pictures",),
        )
    ]


def test_a_profile_changes_by_the_rules_of_registration() -> None:
    user = a_user("student")

    with pytest.raises(InvalidValue):
        user.update_profile(a_profile(), {"grade_level": None}, NOW)
    with pytest.raises(ProfileUnchanged):
        user.update_profile(a_profile(), {"grade_level": 3}, NOW)

    assert pending(user) == []


def test_a_user_remembers_no_personal_field() -> None:
    user = User.register(uuid4(), "student", "ada@example.org", a_profile(), NOW)
    user.update_profile(a_profile(), {"timezone": "UTC"}, NOW)
    user.collect_events()

    assert not any(word in repr(vars(user)) for word in ("Ada", "ada@", "pictures"))


def test_linking_a_child_is_a_fact_in_both_histories() -> None:
    parent, child = a_user("parent"), a_user("student")

    parent.link_child(child, NOW)

    assert pending(parent) == [
        ChildLinked(originator_id=parent.id, originator_version=2, timestamp=NOW, child_id=child.id)
    ]
    assert pending(child) == [
        GuardianAdded(originator_id=child.id, originator_version=2, timestamp=NOW, guardian_id=parent.id)
    ]
    assert (parent.children, child.guardians) == (frozenset({child.id}), frozenset({parent.id}))
    assert not parent.guardians | child.children


@pytest.mark.parametrize(("guardian", "child"), [("student", "student"), ("parent", "parent"), ("student", "parent")])
def test_only_a_parent_may_follow_and_only_a_student_be_followed(guardian: Role, child: Role) -> None:
    one, other = a_user(guardian), a_user(child)

    with pytest.raises(NotAllowed):
        one.link_child(other, NOW)

    assert pending(one) == pending(other) == []
    assert one.children == other.guardians == set()


def test_linking_the_same_child_again_changes_nothing() -> None:
    parent, child = a_user("parent"), a_user("student")
    parent.link_child(child, NOW)
    pending(parent)
    pending(child)

    parent.link_child(child, NOW + timedelta(days=1))

    assert pending(parent) == pending(child) == []


def test_a_child_may_have_several_guardians_and_a_guardian_several_children() -> None:
    parents, children = [a_user("parent") for _ in range(2)], [a_user("student") for _ in range(2)]

    for parent in parents:
        for child in children:
            parent.link_child(child, NOW)

    assert all(parent.children == {child.id for child in children} for parent in parents)
    assert all(child.guardians == {parent.id for parent in parents} for child in children)


def test_replaying_nothing_gives_nobody() -> None:
    assert User.replay([]) is None


class Families(RuleBasedStateMachine):
    """People register and are linked in any order; after every step each is the same when replayed from the log."""

    people = Bundle("people")

    def __init__(self) -> None:
        super().__init__()
        self.living: dict[UUID, User] = {}
        self.log: dict[UUID, list[Event]] = {}
        self.links: set[tuple[UUID, UUID]] = set()

    @rule(
        target=people,
        user_id=st.uuids(),
        role=st.sampled_from(["parent", "student"]),
        name=st.text(st.characters(exclude_categories=["Cs"])),
        zone=st.sampled_from(["UTC", "Asia/Kathmandu"]),
    )
    def register(self, user_id: UUID, role: Role, name: str, zone: str) -> UUID:
        if user_id not in self.living:
            profile = Profile(name=name, grade_level=0, learning_preferences=(name,), timezone=zone)
            self.living[user_id] = User.register(user_id, role, f"{name}@example.org", profile, NOW)
            self.log[user_id] = []
        return user_id

    @rule(one=people, other=people)
    def link(self, one: UUID, other: UUID) -> None:
        allowed = (self.living[one].role, self.living[other].role) == ("parent", "student")
        try:
            self.living[one].link_child(self.living[other], NOW)
        except NotAllowed:
            assert not allowed
        else:
            assert allowed
            self.links.add((one, other))

    @rule(one=people)
    def store(self, one: UUID) -> None:
        """Send the pending facts through the codec, as the log does."""
        self.log[one] += [decode(*stored(event)) for event in pending(self.living[one])]

    @rule(one=people, cut=st.integers(0, 10))
    def replay(self, one: UUID, cut: int) -> None:
        self.store(one)

        whole = User.replay(self.log[one])
        in_two_parts = User.replay(self.log[one][cut:], User.replay(self.log[one][:cut]))

        assert whole == in_two_parts == self.living[one]
        assert whole
        assert whole.version == len(self.log[one])

    @invariant()
    def links_are_known_on_both_sides(self) -> None:
        assert {(one.id, child) for one in self.living.values() for child in one.children} == self.links
        assert {(guardian, one.id) for one in self.living.values() for guardian in one.guardians} == self.links

    @invariant()
    def versions_have_no_hole(self) -> None:
        for events in self.log.values():
            assert [event.originator_version for event in events] == list(range(1, len(events) + 1))


TestFamilies = Families.TestCase
