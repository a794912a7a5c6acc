"""Days: practice counted into the days of the child's own zone."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.days import Amount, by_day, last_days, next_midnight, slot_of, streak

ZONES = (
    "UTC",
    "Europe/Rome",
    "America/New_York",
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # half an hour of summer time
    "Pacific/Kiritimati",  # +14
    "Pacific/Pago_Pago",  # -11
    "America/Havana",  # midnight falls into the missing hour
    "Asia/Beirut",
    "Pacific/Chatham",  # +12:45, +13:45
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
practice = st.lists(st.tuples(moments, st.integers(0, 86_400)), max_size=40)


def activity(events: list[tuple[datetime, int]]) -> dict[datetime, Amount]:
    slots: dict[datetime, Amount] = {}
    for at, seconds in events:
        slots[slot_of(at)] = slots.get(slot_of(at), Amount(0, 0)).plus(Amount(1, seconds))
    return slots


def days(*active: str) -> dict[date, Amount]:
    return {date.fromisoformat(day): Amount(1, 60) for day in active}


@given(practice, zones)
def test_days_are_those_of_the_childs_clock(events: list[tuple[datetime, int]], zone: ZoneInfo) -> None:
    counted = by_day(activity(events), zone)

    one_by_one: dict[date, Amount] = {}
    for at, seconds in events:
        day = at.astimezone(zone).date()
        one_by_one[day] = one_by_one.get(day, Amount(0, 0)).plus(Amount(1, seconds))
    assert counted == one_by_one


@given(practice, st.dates(date(2015, 1, 1), date(2035, 1, 1)), st.integers(1, 40))
def test_the_last_days_end_with_today(events: list[tuple[datetime, int]], today: date, count: int) -> None:
    counted = last_days(by_day(activity(events), ZoneInfo("UTC")), today, count)

    own = [seconds for at, seconds in events if today - timedelta(days=count) < at.date() <= today]
    assert counted == {"records": len(own), "time_spent": sum(own)}


@given(moments, zones)
def test_midnight_is_the_first_moment_of_the_next_day(now: datetime, zone: ZoneInfo) -> None:
    midnight = next_midnight(now, zone)

    today = now.astimezone(zone).date()
    assert midnight > now
    assert (midnight.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone).date() == today
    assert midnight.astimezone(UTC).astimezone(zone).date() == today + timedelta(days=1)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Rome", "2026-03-29", 23),
        ("Europe/Rome", "2026-10-25", 25),
        ("America/Havana", "2026-03-08", 23),  # from 00:00 to 01:00
        ("America/Havana", "2026-11-01", 25),  # from 01:00 back to 00:00
        ("Asia/Beirut", "2026-10-24", 25),  # from 24:00 back to 23:00
        ("Asia/Kathmandu", "2026-03-29", 24),
    ],
)
def test_a_day_is_as_long_as_its_clock_says(zone: str, day: str, hours: int) -> None:
    noon = datetime.combine(date.fromisoformat(day), time(12), ZoneInfo(zone))
    begins = next_midnight(noon - timedelta(days=1), ZoneInfo(zone)).astimezone(UTC)

    ends = next_midnight(noon, ZoneInfo(zone)).astimezone(UTC)

    assert ends - begins == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("active", "count", "through"),
    [
        ([], 0, None),
        (["2026-03-04"], 1, "2026-03-04"),
        (["2026-03-03"], 1, "2026-03-03"),
        (["2026-03-02"], 0, None),
        (["2026-03-02", "2026-03-03", "2026-03-04"], 3, "2026-03-04"),
        (["2026-03-01", "2026-03-02", "2026-03-03"], 3, "2026-03-03"),
        (["2026-03-01", "2026-03-02", "2026-03-04"], 1, "2026-03-04"),
        (["2026-02-27", "2026-02-28", "2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04"], 6, "2026-03-04"),
        (["2026-03-04", "2026-03-05"], 1, "2026-03-04"),  # a device's clock that runs ahead
    ],
)
def test_a_streak_reaches_today_or_yesterday(active: list[str], count: int, through: str | None) -> None:
    run = streak(days(*active), date(2026, 3, 4))

    assert run == {"days": count, "through": through}


@pytest.mark.parametrize("today", [date.min, date.max])
def test_any_day_can_be_asked_for(today: date) -> None:
    active = days("2026-03-04")

    assert last_days(active, today, 30) == {"records": 0, "time_spent": 0}
    assert streak(active, today) == {"days": 0, "through": None}
    assert streak({today: Amount(1, 1)}, today) == {"days": 1, "through": today.isoformat()}
