"""Models: what a field takes and what it refuses, before any route is asked."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.models import Email, Label, Line, Moment, Score, Secret, to_hundredths, to_points

from .people import NAUGHTY


def accepts(kind: Any, value: object) -> bool:  # noqa: ANN401  a type, annotated
    try:
        TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "text", ["a", "Mathematics", "Rechnen mit Brüchen", "数学", "🙂🙂", "a  b", "O'Brien & Co. (2)", "-"]
)
def test_words_of_any_script_name_a_subject(text: str) -> None:
    assert accepts(Label, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        " a",
        "a ",
        "\ta",
        "a\n",
        "a\x00b",
        "a\x1bb",
        "a\x85b",
        "a\u200bb",
        "a\u202eb",
        "a\u2028b",
        "\ufeffa",
        "\u00a0a",
    ],
)
def test_control_and_format_characters_and_outer_blanks_name_nothing(text: str) -> None:
    assert not accepts(Label, text)


def test_a_name_may_have_the_joiners_that_its_script_needs() -> None:
    assert accepts(Line, "نرگس\u200cخاتون")  # noqa: RUF001  Persian
    assert not accepts(Line, "Ada\u202eecalevoL")


@pytest.mark.parametrize("email", ["a@b.de", "first.last+tag@school.example", "ü@ö.example"])
def test_an_address_that_could_be_delivered_to_is_an_email(email: str) -> None:
    assert accepts(Email, email)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "a",
        "a@b",
        "@b.de",
        "a@@b.de",
        "a b@c.de",
        "a..b@c.de",
        "a@b..de",
        ".a@b.de",
        f"{'a' * 250}@b.de",
        "a@b.de\n",
    ],
)
def test_anything_else_is_no_email(email: str) -> None:
    assert not accepts(Email, email)


@pytest.mark.parametrize("secret", ["", "a\x00b", "a\nb", "x" * 1025, 7, None])
def test_a_secret_is_a_text_without_control_characters(secret: object) -> None:
    assert accepts(Secret, "correct horse  battery ✓")
    assert not accepts(Secret, secret)


@pytest.mark.parametrize(
    ("points", "hundredths"), [(0, 0), (100, 10_000), (87.5, 8750), (0.57, 57), (99.99, 9999), (1e1, 1000)]
)
def test_points_are_kept_in_hundredths(points: float, hundredths: int) -> None:
    assert accepts(Score, points)
    assert to_hundredths(points) == hundredths


@pytest.mark.parametrize("points", [-0.01, 100.01, 33.333, 1e-9 * 50, 1e300, True, "87.5", None])
def test_other_numbers_are_no_points(points: object) -> None:
    assert not accepts(Score, points)


@given(st.integers(0, 10_000))
def test_every_hundredth_survives_the_way_through_json_and_back(hundredths: int) -> None:
    points = json.loads(json.dumps(to_points(hundredths)))

    assert to_hundredths(points) == hundredths
    assert to_hundredths(hundredths * 0.01) == hundredths


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T17:05:00Z", datetime(2026, 1, 31, 17, 5, tzinfo=UTC)),
        ("2026-01-31T18:05:00+01:00", datetime(2026, 1, 31, 17, 5, tzinfo=UTC)),
        ("2026-01-31t17:05:00.123456789z", datetime(2026, 1, 31, 17, 5, 0, 123456, tzinfo=UTC)),
        ("2026-01-31T17:05:00-00:00", datetime(2026, 1, 31, 17, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_into_utc(text: str, moment: datetime) -> None:
    assert TypeAdapter(Moment).validate_python(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2026-01-31", "2026-01-31T17:05:00", "2026-01-31 17:05:00Z", "20260131T170500Z", "1769879100"),
        *("2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T23:59:60Z", "2026-01-31T17:05Z"),
        *(
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "2026-01-31T17:05:00+25:00",
            "٢٠٢٦-01-31T17:05:00Z",
        ),
        *(1769879100, None, True),
    ],
)
def test_a_moment_without_offset_or_of_another_spelling_is_refused(text: object) -> None:
    assert not accepts(Moment, text)


@pytest.mark.parametrize("text", NAUGHTY)
def test_a_naughty_string_is_taken_as_it_is_or_refused(text: str) -> None:
    for kind in (Label, Line, Secret, Email):
        try:
            taken = TypeAdapter(kind).validate_json(json.dumps(text), strict=True)
        except ValidationError:
            continue
        assert taken == text
