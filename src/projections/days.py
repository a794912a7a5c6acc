"""Days: a child's activity by quarter of an hour in UTC, counted into the days of any time zone.

Every zone's offset today is a multiple of 15 minutes, so quarters put together exactly; a zone that changes later
needs no second fold.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, TypedDict
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


class Span(TypedDict):
    """What happened in some days."""

    records: int
    time_spent: int


class Streak(TypedDict):
    """Days in a row with activity, up to today or yesterday."""

    days: int
    through: str | None


class Amount(NamedTuple):
    """Records and seconds of one quarter or day."""

    records: int
    time_spent: int

    def plus(self, other: "Amount") -> "Amount":
        """Return both together."""
        return Amount(self.records + other.records, self.time_spent + other.time_spent)


def slot_of(moment: datetime) -> datetime:
    """Return the start of the quarter of an hour that holds this moment."""
    minute = moment.minute
    return datetime(moment.year, moment.month, moment.day, moment.hour, minute - minute % 15, 0, 0, moment.tzinfo)


def by_day(slots: Mapping[datetime, Amount], zone: ZoneInfo) -> dict[date, Amount]:
    """Return the activity of each local day."""
    days: dict[date, Amount] = {}
    for slot, amount in slots.items():
        day = slot.astimezone(zone).date()
        days[day] = days[day].plus(amount) if day in days else amount
    return days


def last_days(days: Mapping[date, Amount], today: date, count: int) -> Span:
    """Return what happened in the `count` days that end with today."""
    total = Amount(0, 0)
    for day, amount in days.items():
        if 0 <= (today - day).days < count:
            total = total.plus(amount)
    return Span(records=total.records, time_spent=total.time_spent)


def streak(days: Mapping[date, Amount], today: date) -> Streak:
    """Return the run of days with activity that reaches today, or yesterday while today is still young."""
    active = {day.toordinal() for day in days}
    last = today.toordinal() if today in days else today.toordinal() - 1
    day = last
    while day in active:
        day -= 1
    through = date.fromordinal(last).isoformat() if day < last else None
    return Streak(days=last - day, through=through)


def next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    """Return when this moment's local day ends."""
    return datetime.combine(now.astimezone(zone).date() + _DAY, time(), zone)
