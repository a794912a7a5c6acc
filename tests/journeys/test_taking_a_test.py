"""A child takes a test from the starter bank, sees what was right and why, and the parent sees progress."""

import json

import asyncpg

from adapters.settings import PREFIX
from domain.grading.writing import write_key
from domain.question import Question
from tests.journeys.test_family_life import TERMS, Person, Town, town

__all__ = ["town"]
WISH = {"subject": "Mathematics", "topic": "Fractions"}


async def keys(town: Town, ids: list[str]) -> dict[str, str]:
    """Return what is right, which only the log knows before a submission."""
    database = await asyncpg.connect(town.settings[f"{PREFIX}DATABASE_URL"])
    rows = await database.fetch(
        "select data -> 'question' as question from events where stream = any($1)", [f"question-{one}" for one in ids]
    )
    await database.close()
    questions = [Question.model_validate_json(row["question"]) for row in rows]
    return {str(question.id): write_key(question) for question in questions}


async def start(child: Person, count: int) -> tuple[str, list[str]]:
    started = await child.post("/assessments/start", WISH | {"student_id": child.id, "count": count})
    assert started.status_code == 201, started.text
    served = started.json()
    assert served["short_by"] == 0
    assert not {"correct_answer", "explanation", "hints"} & {name for one in served["questions"] for name in one}
    return served["assessment_id"], [one["id"] for one in served["questions"]]


async def test_a_child_takes_a_test_sees_feedback_and_the_parent_sees_progress(town: Town) -> None:
    parent = await town.register("parent")
    await town.sign_in(parent)
    child = await town.register("student", by=parent, consent=TERMS)
    await town.sign_in(child)

    number, ids = await start(child, 6)
    right = await keys(town, ids)
    wrong_one = ids[0]
    answers = [{"id": one, "answer": "I don't know" if one == wrong_one else right[one]} for one in ids]
    submission = WISH | {"student_id": child.id, "assessment_id": number, "questions": answers}
    asked = await child.post("/assessments", submission)
    if asked.status_code == 422:
        assert [one["question_id"] for one in asked.json()["errors"]] == [wrong_one]
    result = await child.post("/assessments", submission | {"final": True})

    assert result.status_code == 201, result.text
    shown = result.json()
    assert (shown["correct"], shown["total"], shown["score"]) == (5, 6, 83.33)
    told = {one["id"]: one for one in shown["questions"]}
    assert told[wrong_one]["verdict"] == "incorrect"
    assert told[wrong_one]["correct_answer"] == right[wrong_one]
    assert all(one["explanation"] for one in shown["questions"])

    second, more = await start(child, 6)
    assert not set(ids) & set(more), "nothing twice while something is unseen"
    best = await keys(town, more)
    graded = await child.post(
        "/assessments",
        WISH | {"student_id": child.id, "questions": [{"id": one, "answer": answer} for one, answer in best.items()]},
    )
    assert (graded.status_code, graded.json()["assessment_id"], graded.json()["score"]) == (201, second, 100)

    position = graded.headers["event-position"]
    summary = (await parent.get(f"/progress/{child.id}?min_position={position}")).json()
    assert (summary["graded"]["records"], summary["graded"]["best_score"]) == (2, 100)
    assert summary["self_reported"]["records"] == 0
    assert [one["subject"] for one in summary["subjects"]] == ["Mathematics"]
    results = (await parent.get(f"/assessments?student_id={child.id}")).json()["items"]
    assert [one["assessment_id"] for one in results] == [second, number]
    assert json.dumps((await parent.get(f"/assessments/{number}")).json(), sort_keys=True) == json.dumps(
        shown, sort_keys=True
    )
    assert (await parent.post("/assessments/start", WISH | {"student_id": child.id})).status_code == 403
