"""Assessment: a whole set is graded, or what could not be read is asked for again and nothing is told of the rest."""

from uuid import UUID

from domain.assessment import Answer, AskedAgain, Graded, judge
from domain.question import Question
from tests.domain.questions import choice, number, statement

HALF, RED, TRUE = (
    question.model_copy(update={"id": UUID(int=n)})
    for n, question in enumerate((number("1/2"), choice("a"), statement(key=True)), start=1)
)
SET: tuple[Question, ...] = (HALF, RED, TRUE)
RIGHT: dict[UUID, Answer] = {HALF.id: "0.5", RED.id: "red", TRUE.id: True}


def test_answers_are_graded_in_the_order_served() -> None:
    graded = judge(SET, dict(reversed(list(RIGHT.items()))), "en", asks_again=True)

    assert isinstance(graded, Graded)
    assert (graded.score, graded.correct) == (10_000, 3)
    assert [answer.question_id for answer in graded.answers] == [question.id for question in SET]
    assert graded.answers[1].chosen == ("a",)
    assert graded.typed[0].answer == "0.5"


def test_one_wrong_answer_costs_its_share_rounded_half_up() -> None:
    graded = judge(SET, RIGHT | {RED.id: "b"}, "en", asks_again=True)

    assert isinstance(graded, Graded)
    assert (graded.score, graded.correct) == (6667, 2)
    assert [answer.verdict for answer in graded.answers] == ["correct", "incorrect", "correct"]


def test_what_cannot_be_read_is_asked_for_again_by_code_and_nothing_else_is_said() -> None:
    asked = judge(SET, {HALF.id: "1,00", RED.id: "purple"}, "en", asks_again=True)

    assert isinstance(asked, AskedAgain)
    assert [(answer.question_id, answer.code) for answer in asked.answers] == [
        (HALF.id, "bad_grouping"),
        (RED.id, "unknown_choice"),
        (TRUE.id, "nothing_chosen"),
    ]


def test_at_the_end_it_is_incorrect_in_a_fixed_denominator() -> None:
    graded = judge(SET, {HALF.id: "one half?"}, "en", asks_again=False)

    assert isinstance(graded, Graded)
    assert (graded.score, graded.correct, len(graded.answers)) == (0, 0, 3)
    assert [answer.code for answer in graded.answers] == ["unreadable", "nothing_chosen", "nothing_chosen"]
    assert {answer.verdict for answer in graded.answers} == {"incorrect"}


def test_the_learners_locale_reads_the_numbers() -> None:
    german, english = (judge([HALF], {HALF.id: "0,5"}, locale, asks_again=True) for locale in ("de", "en"))

    assert isinstance(german, Graded)
    assert german.correct == 1
    assert isinstance(english, AskedAgain)
