"""Stream: the answers of a real learner log, read where it lies and never copied; or an invented one of its shape."""

import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple
from uuid import UUID

SHARED_DATA = Path(os.environ.get("AFTERSCHOOL_SHARED_DATA") or Path(__file__).parents[2] / "shared" / "data")
"""Where the data files are: `../shared/data` beside the repository unless the environment says otherwise."""
ASSIST17 = "stream_assist17_timed.jsonl.gz"


class Line(NamedTuple):
    """One answer: `t` in seconds since the log began, `score` 0 or 100."""

    t: int
    student_id: str
    subject: str
    topic: str
    score: int


def read_stream(file: Path) -> Iterator[Line]:
    """Yield the lines of a timed stream in file order."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Line(row["t"], row["student_id"], row["subject"], row["topic"], row["score"])


def invent_stream(lines: int, seed: int = 17) -> Iterator[Line]:
    """Yield an invented log where the real one is absent: 342 students in turns of some answers, 400 skewed topics."""
    random = Random(seed)
    students = [str(UUID(int=random.getrandbits(128), version=4)) for _ in range(342)]
    active, t = random.choices(students, k=12), 0
    for _ in range(lines):
        t += 1 + int(random.expovariate(0.1))
        seat = random.randrange(len(active))
        if random.random() < 0.02:
            active[seat] = random.choice(students)
        topic = min(400, int(random.paretovariate(0.5)))
        yield Line(t, active[seat], "math", f"skill-{topic}", 100 * (random.random() < 0.42))


def assist17() -> Iterator[Line]:
    """Yield the lines of the stream that benchmarks take their students and topics from."""
    file = SHARED_DATA / ASSIST17
    return read_stream(file) if file.exists() else invent_stream(90_586)
