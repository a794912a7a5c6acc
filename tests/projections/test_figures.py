"""Figures: sums that come out the same in any grouping."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.figures import Figures

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
one_record = st.builds(
    lambda score, minutes, completed, seconds: (score, NOON + timedelta(minutes=minutes), completed, seconds),
    st.integers(0, 10_000),
    st.integers(-3, 3),
    st.booleans(),
    st.integers(0, 86_400),
)


def figures_of(*scores: int) -> Figures:
    total = Figures()
    for position, score in enumerate(scores, start=1):
        total.add(Figures(1, score, score, score, NOON, position, 1, 60))
    return total


@given(st.lists(one_record, max_size=12), st.data())
def test_sums_are_equal_in_any_grouping_and_order(
    records: list[tuple[int, datetime, bool, int]], data: st.DataObject
) -> None:
    singles = [
        Figures(1, score, score, score, at, position, int(completed), seconds)
        for position, (score, at, completed, seconds) in enumerate(records, start=1)
    ]
    groups = [Figures() for _ in range(4)]

    for single in data.draw(st.permutations(singles)):
        data.draw(st.sampled_from(groups)).add(single)
    total = Figures()
    for group in groups:
        total.add(group)

    latest = max(range(len(records)), key=lambda n: (records[n][1], n), default=None)
    assert total == Figures(
        records=len(records),
        score_sum=sum(score for score, *_ in records),
        best_score=max((score for score, *_ in records), default=0),
        last_score=0 if latest is None else records[latest][0],
        last_at=None if latest is None else records[latest][1],
        last_position=0 if latest is None else latest + 1,
        completed=sum(completed for *_, completed, _ in records),
        time_spent=sum(seconds for *_, seconds in records),
    )


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=30))
def test_the_mean_is_exact_and_rounded_half_to_even(scores: list[int]) -> None:
    shown = figures_of(*scores).shown(with_completed=True)

    exact = (Decimal(sum(scores)) / len(scores) / 100).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    assert Decimal(repr(shown["mean_score"])) == exact


@pytest.mark.parametrize(
    ("scores", "mean"),
    [((1, 2), 0.02), ((2, 3), 0.02), ((3, 4), 0.04), ((0, 0, 1), 0.0), ((0, 1, 1), 0.01), ((5000, 8033, 10000), 76.78)],
)
def test_half_a_hundredth_goes_to_the_even_one(scores: tuple[int, ...], mean: float) -> None:
    assert figures_of(*scores).shown(with_completed=False)["mean_score"] == mean


def test_without_records_there_is_no_score() -> None:
    shown = Figures().shown(with_completed=True)

    assert shown == {
        "records": 0,
        "mean_score": None,
        "best_score": None,
        "last_score": None,
        "completed": 0,
        "time_spent": 0,
    }


def test_a_score_of_nothing_is_a_score() -> None:
    shown = figures_of(0).shown(with_completed=False)

    assert shown == {"records": 1, "mean_score": 0.0, "best_score": 0.0, "last_score": 0.0, "time_spent": 60}
