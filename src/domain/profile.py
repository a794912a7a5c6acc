"""Profile: what a person tells about themself, and its limits."""

from dataclasses import dataclass
from functools import cache
from typing import TypedDict
from zoneinfo import available_timezones

from domain.errors import InvalidValue
from domain.events import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Name, grade (0 is kindergarten; None for a parent), what helps them learn, and the zone of their day."""

    name: str
    grade_level: int | None
    learning_preferences: tuple[str, ...]
    timezone: str = "UTC"


class ProfileChanges(TypedDict, total=False):
    """What is to be different; what is not named stays."""

    name: str
    grade_level: int | None
    learning_preferences: tuple[str, ...]
    timezone: str


@cache
def time_zones() -> frozenset[str]:
    """Return the names of the IANA database, without those that mean another zone on another machine."""
    return frozenset(available_timezones() - {"Factory", "localtime"})


def check_profile(role: Role, profile: Profile) -> None:
    """Refuse a profile that the role can't have; raises `InvalidValue` naming the field."""
    if role == "student" and profile.grade_level is None:
        raise InvalidValue(field="profile.grade_level", reason="a student has a grade from 0 to 8")
    if profile.timezone not in time_zones():
        raise InvalidValue(field="profile.timezone", reason="not a time zone of the IANA database")
