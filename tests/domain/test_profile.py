"""Profile: what its role can't have is refused by the name of the field."""

import pytest

from domain.errors import InvalidValue
from domain.events import Role
from domain.profile import Profile, check_profile
from tests.domain.people import a_profile


@pytest.mark.parametrize("grade", range(9))
def test_a_student_is_in_kindergarten_or_a_grade(grade: int) -> None:
    check_profile("student", a_profile(grade_level=grade))


def test_a_parent_needs_no_grade() -> None:
    check_profile("parent", a_profile(grade_level=None))


def test_a_student_without_a_grade_is_refused() -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_profile("student", a_profile(grade_level=None))

    assert refusal.value.facts["field"] == "profile.grade_level"


def test_a_day_ends_in_utc_unless_told_otherwise() -> None:
    assert Profile(name="Ada", grade_level=1, learning_preferences=()).timezone == "UTC"


@pytest.mark.parametrize("zone", ["UTC", "Europe/Rome", "America/Argentina/Buenos_Aires", "Etc/GMT+12"])
def test_a_zone_is_a_name_of_the_iana_database(zone: str) -> None:
    check_profile("student", a_profile(timezone=zone))


@pytest.mark.parametrize("role", ["parent", "student"])
@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "europe/rome", "../etc/passwd", "+01:00", "localtime", "Factory"])
def test_anything_else_is_refused_and_so_is_what_each_machine_reads_otherwise(role: Role, zone: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_profile(role, a_profile(timezone=zone))

    assert refusal.value.facts["field"] == "profile.timezone"


def test_a_refusal_repeats_nothing_of_what_was_said() -> None:
    with pytest.raises(InvalidValue) as refusal:
        check_profile("student", a_profile(timezone="Adas/House"))

    assert "Adas" not in f"{refusal.value} {refusal.value.facts}"
