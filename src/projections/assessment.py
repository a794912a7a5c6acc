"""Assessment: one served set as the learner is shown it, or its result; from the log, by the id they share.

What was served and how it was graded stands in the events; what the questions say is read by their versions.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from domain.errors import AssessmentUnknown
from domain.events import AssessmentStarted, AssessmentSubmitted, GradedAnswer, ServedQuestion, TypedAnswer
from domain.grading.mark import mark
from domain.grading.writing import write_key
from domain.personal import Hidden
from domain.question import Question
from eventstore.codec import decode
from eventstore.fence import Reads
from eventstore.keys import KeyStore
from eventstore.opening import open_personal
from eventstore.record import COLUMNS, Record

Contents = Callable[[Sequence[tuple[UUID, int]]], Awaitable[list[Question]]]
"""Returns what these versions of questions say."""

_SELECT = f"""
select {COLUMNS} from events
where data ->> 'assessment_id' = $1 and type in ('AssessmentStarted', 'AssessmentSubmitted')
order by position
"""  # noqa: S608  fixed words


class GetAssessment:
    """Answers with a served set while it is open, and with its result once there is one."""

    def __init__(self, rows: Reads, keys: KeyStore, contents: Contents) -> None:
        self._rows = rows
        self._keys = keys
        self._contents = contents

    async def __call__(self, assessment_id: UUID) -> bytes:
        """Return the AssessmentResult, or the served set without keys, as JSON; raises `AssessmentUnknown`."""
        records = await find_assessment(self._rows, assessment_id)
        started = decode(records[0])
        assert isinstance(started, AssessmentStarted)  # noqa: S101  it comes first
        questions = await self._contents([(one.question_id, one.version) for one in started.questions])
        if len(records) == 1:
            return render_served(started, questions)
        submitted = decode(records[1], await self._open(records[1]))
        assert isinstance(submitted, AssessmentSubmitted)  # noqa: S101  nothing else follows
        return render_result(started, submitted, questions, records[1].recorded_at)

    async def served(self, assessment_id: UUID) -> bytes:
        """Return the set as it was served, even where it is answered by now; raises `AssessmentUnknown`."""
        started = decode((await find_assessment(self._rows, assessment_id))[0])
        assert isinstance(started, AssessmentStarted)  # noqa: S101  it comes first
        return render_served(
            started, await self._contents([(one.question_id, one.version) for one in started.questions])
        )

    async def _open(self, record: Record) -> Mapping[str, object] | Hidden:
        return await open_personal(
            self._keys,
            record.subject or UUID(int=0),
            record.sealed or b"",
            event_id=record.event_id,
            stream=record.stream,
            event_type=record.type,
            schema=record.schema,
        )


async def find_assessment(rows: Reads, assessment_id: UUID) -> list[Record]:
    """Return the events of an assessment: its start, and the result if there is one; raises `AssessmentUnknown`."""
    records = [Record(*row) for row in await rows.fetch(_SELECT, str(assessment_id))]
    if not records:
        raise AssessmentUnknown
    return records


def render_served(started: AssessmentStarted, questions: Sequence[Question]) -> bytes:
    """Return the set as it is served: no key, no explanation, no hint."""
    return orjson.dumps(
        {
            "assessment_id": str(started.assessment_id),
            "student_id": str(started.originator_id),
            "subject": started.subject,
            "topic": started.topic,
            "questions": [_shown(one, question) for one, question in zip(started.questions, questions, strict=True)],
            "short_by": started.short_by,
            "expires_at": _moment(started.expires_at),
        }
    )


def render_result(
    started: AssessmentStarted, submitted: AssessmentSubmitted, questions: Sequence[Question], recorded_at: datetime
) -> bytes:
    """Return the AssessmentResult; what was typed by somebody who was erased is not in it."""
    typed = {} if isinstance(submitted.typed, Hidden) else {one.question_id: one for one in submitted.typed}
    graded = {one.question_id: one for one in submitted.answers}
    return orjson.dumps(
        {
            "assessment_id": str(started.assessment_id),
            "student_id": str(started.originator_id),
            "subject": started.subject,
            "topic": started.topic,
            "score": _points(submitted.score),
            "correct": submitted.correct,
            "total": submitted.total,
            "questions": [
                _shown(one, question) | _judged(question, graded[question.id], typed.get(question.id), started.locale)
                for one, question in zip(started.questions, questions, strict=True)
            ],
            "created_at": _moment(recorded_at),
        }
    )


def _shown(served: ServedQuestion, question: Question) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": str(question.id), "type": question.type, "question": question.stem}
    if question.type == "true_false":
        return shown | {"options": ["true", "false"], "option_ids": ["true", "false"]}
    if served.options:
        texts = {option.id: option.text for option in question.options}
        shown |= {"options": [texts[one] for one in served.options], "option_ids": list(served.options)}
    return shown


def _judged(question: Question, graded: GradedAnswer, typed: TypedAnswer | None, locale: str) -> dict[str, Any]:
    judged: dict[str, Any] = {
        "verdict": graded.verdict,
        "points": graded.points,
        "answer": typed.answer if typed else None,
        "read_as": typed.read_as if typed else "",
        "correct_answer": write_key(question, locale),
        "explanation": question.explanation,
        "rule": graded.rule,
    }
    if graded.code:
        judged["code"] = graded.code
    if typed and (feedback := mark(question, typed.answer, locale).feedback):
        judged["feedback"] = feedback
    return judged


def _points(hundredths: int) -> float:
    return hundredths / 100 if hundredths % 100 else hundredths // 100


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
