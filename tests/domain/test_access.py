"""Access: themselves and their guardians; everybody else is refused."""

from uuid import uuid4

from domain.access import may_follow, may_record_progress, may_update_profile
from tests.domain.people import NOW, a_user


def test_students_report_their_own_practice_and_nobody_elses() -> None:
    student, other = uuid4(), uuid4()

    assert may_record_progress(student, student)
    assert not may_record_progress(other, student)


def test_a_guardian_reports_nothing_in_a_childs_name() -> None:
    parent, child = a_user("parent"), a_user("student")
    parent.link_child(child, NOW)

    assert not may_record_progress(parent.id, child.id)


def test_everybody_follows_themselves() -> None:
    for user in (a_user("student"), a_user("parent")):
        assert may_follow(user, user.id)


def test_a_parent_follows_a_child_from_the_moment_of_the_link() -> None:
    parent, child = a_user("parent"), a_user("student")
    assert not may_follow(parent, child.id)

    parent.link_child(child, NOW)

    assert may_follow(parent, child.id)


def test_a_link_gives_no_other_view() -> None:
    parent, child, sibling = a_user("parent"), a_user("student"), a_user("student")
    other_parent = a_user("parent")
    parent.link_child(child, NOW)

    assert not may_follow(child, parent.id)
    assert not may_follow(parent, sibling.id)
    assert not may_follow(sibling, child.id)
    assert not may_follow(other_parent, child.id)
    assert not may_follow(parent, uuid4())


def test_a_profile_is_changed_by_its_person_and_the_guardians_of_the_day() -> None:
    parent, child, stranger = a_user("parent"), a_user("student"), a_user("parent")
    assert may_update_profile(child.id, child)
    assert not may_update_profile(parent.id, child)

    parent.link_child(child, NOW)

    assert may_update_profile(parent.id, child)
    assert not may_update_profile(child.id, parent)
    assert not may_update_profile(stranger.id, child)
    parent.unlink_child(child, NOW)
    assert not may_update_profile(parent.id, child)
