"""Question check: every defect of a file's lines, by name and number, before anything is published."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.defects import defects_of
from domain.errors import QuestionRefused
from domain.likeness import Likeness
from domain.question_line import Labels, read_line, reasons_of
from domain.smells import smells_of

_OFTEN = 100
_ANYWHERE = Labels(grade=0, subject="any", topic="any")
"""What lines lack is given when they are imported."""


class Finding(NamedTuple):
    """A defect of a line."""

    code: str
    line: int
    is_refused: bool
    """Whether the line can't be published; else it is doubtful, and up to its author."""
    like: int | None = None
    """The line before it that it repeats."""


class Report(NamedTuple):
    """What was found in a file."""

    lines: int
    by_code: dict[str, list[Finding]]


class QuestionCheck:
    """The check of one file."""

    def __init__(self) -> None:
        self.lines = 0
        self._ids: dict[bytes, int] = {}
        self._likeness = Likeness()
        self._found: defaultdict[str, list[Finding]] = defaultdict(list)

    def of(self, lines: Iterable[tuple[int, bytes]]) -> Iterator[int]:
        """Look the lines through, and yield every now and then how many were."""
        for number, line in lines:
            self.lines += 1
            for finding in set(self._findings(number, line)):
                self._found[finding.code].append(finding)
            if not self.lines % _OFTEN:
                yield self.lines

    def report(self) -> Report:
        """Return what was found, what is refused and what is frequent first."""
        order = sorted(self._found.items(), key=lambda one: (not one[1][0].is_refused, -len(one[1]), one[0]))
        return Report(self.lines, dict(order))

    def _findings(self, number: int, line: bytes) -> Iterator[Finding]:
        try:
            question = read_line(line, _ANYWHERE)
        except QuestionRefused as refused:
            yield from (Finding(reason.code, number, is_refused=True) for reason in reasons_of(refused))
            return
        first = self._ids.setdefault(question.id.bytes, number)
        if first != number:
            yield Finding("repeated_id", number, is_refused=True, like=first)
        yield from (Finding(defect.code, number, is_refused=True) for defect in defects_of(question))
        yield from (Finding(smell.code, number, is_refused=False) for smell in smells_of(question))
        if repeats := self._likeness.add(number, question):
            how, like = repeats
            yield Finding(how, number, is_refused=False, like=like)
