"""Expected: what the summaries must say after a replay, computed from the file alone and by none of our code."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

CENT = Fraction(1, 100)


class Expected(NamedTuple):
    """What a summary says of one topic: how many answers, their mean to two decimals, the best and the last score."""

    records: int
    mean_score: Decimal
    best_score: Decimal
    last_score: Decimal


Topics = dict[tuple[str, str], Expected]
"""By subject and topic."""


def expected_summaries(file: Path, limit: int | None = None) -> dict[str, Topics]:
    """Return for each student of the first `limit` lines what each topic must show; the mean rounds half to even."""
    scores: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(lambda: defaultdict(list))
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in islice(lines, limit):
            row = json.loads(line)
            scores[row["student_id"]][row["subject"], row["topic"]].append(row["score"])
    return {student: {topic: _expected(own) for topic, own in topics.items()} for student, topics in scores.items()}


def mismatches(topics: Topics, summary: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a summary (parsed with `parse_float=Decimal`), one line a fault, without any ids."""
    shown = {
        (subject["subject"], topic["topic"]): topic["self_reported"]
        for subject in summary["subjects"]
        for topic in subject["topics"]
    }
    total = sum(one.records for one in topics.values())
    return [
        *(f"{topic} is missing" for topic in topics.keys() - shown.keys()),
        *(f"{topic} was never practised" for topic in shown.keys() - topics.keys()),
        *(
            fault
            for topic in topics.keys() & shown.keys()
            for fault in _differences(topic, topics[topic], shown[topic])
        ),
        *_different("records in all", total, summary["self_reported"]["records"]),
        *_different("graded records", 0, summary["graded"]["records"]),
    ]


def _expected(scores: list[int]) -> Expected:
    mean = Decimal(round(Fraction(sum(scores), len(scores)) / CENT)) / 100
    return Expected(len(scores), mean, Decimal(max(scores)), Decimal(scores[-1]))


def _differences(topic: tuple[str, str], expected: Expected, shown: Mapping[str, Any]) -> Iterable[str]:
    for name, value in expected._asdict().items():
        yield from _different(f"{topic} {name}", value, shown[name])


def _different(name: str, expected: Decimal | int, found: object) -> list[str]:
    return [] if found == expected else [f"{name}: {found} instead of {expected}"]
