"""Question line: a question as one line of JSON in the contract's shape, read into a `Question` and written from one.

A plain line has the contract's fields and perhaps labels; how its answers are judged follows from its type and its key.
A line that comes with `grading`, `accept` and `reject`, as `write_line` makes it, is taken at its word.
"""

import re
from typing import Annotated, Literal, NamedTuple, TypeVar, cast
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from domain.defects import Defect
from domain.errors import QuestionRefused
from domain.examples import with_examples
from domain.families import family_of
from domain.grading.marks import Unread
from domain.grading.numbers import read_key
from domain.grading.wording import fold_case, tidy
from domain.grading.writing import write_key
from domain.question import (
    Blank,
    Difficulty,
    Example,
    FillIn,
    Form,
    Grading,
    Mistake,
    MultipleChoice,
    NumberBlank,
    Option,
    Question,
    QuestionType,
    TextBlank,
    TrueFalse,
)

QUESTIONS = UUID("a5c00000-0000-5000-8000-000000000201")
"""Namespace of the ids of questions whose lines have an id of their own."""

T = TypeVar("T")
Role = Literal["ordinary", "none_of_the_above", "all_of_the_above"]
Name = Annotated[str, Field(min_length=1, max_length=128)]
Text = Annotated[str, Field(max_length=10_000)]
Key = str | bool | int | tuple[str, ...]

_ROLES: dict[Role, re.Pattern[str]] = {
    "none_of_the_above": re.compile(r"none of (the above|these|them)\W*"),
    "all_of_the_above": re.compile(r"(all|both) of (the above|these|them)\W*"),
}
_HOLDS = {"true": True, "t": True, "yes": True, "y": True, "false": False, "f": False, "no": False, "n": False}
_BETWEEN_VALUES = re.compile(r"\s*(?:[;|]|,|:|\band\b|\bor\b|&)\s*")
_EXACT_FORMS: tuple[Form, ...] = ("proper", "improper", "mixed")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Labels(NamedTuple):
    """Where questions belong: what lines lack, or with `overriding` whatever they say."""

    grade: int | None = None
    subject: str | None = None
    topic: str | None = None
    overriding: bool = False


class QuestionLine(BaseModel):
    """The fields a line may have."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Name
    type: QuestionType
    question: Text
    options: Annotated[tuple[Text, ...], Field(max_length=len(_LETTERS))] | None = None
    option_ids: tuple[Name, ...] | None = None
    option_roles: tuple[Role, ...] | None = None
    correct_answer: Key | None = None
    explanation: Text | None = None
    hints: tuple[Text, ...] | None = None
    mistakes: tuple[Mistake, ...] | None = None
    difficulty: Difficulty | None = None
    grade: Annotated[int, Field(ge=0, le=8)] | None = None
    subject: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    topic: Name | None = None
    skill: Name | None = None
    family: Name | None = None
    language: Annotated[str, Field(pattern="^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")] | None = None
    source: Name | None = None
    licence: str | None = None
    grading: Grading | None = None
    accept: tuple[Example, ...] | None = None
    reject: tuple[Example, ...] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to be derived."""
        return self.grading is not None and self.accept is not None and self.reject is not None


def question_id(line_id: str) -> UUID:
    """Return the id of the question with this id in its file: a UUID is its own, else it follows from the text."""
    try:
        own = UUID(line_id)
    except ValueError:
        return uuid5(QUESTIONS, line_id)
    return own if str(own) == line_id else uuid5(QUESTIONS, line_id)


def read_line(line: str | bytes, labels: Labels = Labels()) -> Question:  # noqa: B008  immutable
    """Read a line as version 1 of its question, with its examples.

    Raises `QuestionRefused` whose `reasons`, each a `Defect`, say what is wrong with it. What else is wrong with the
    question is for `domain.defects` to say.
    """
    try:
        read = QuestionLine.model_validate_json(line)
    except ValidationError as error:
        raise QuestionRefused(reasons=_misshapen(error)) from None
    own_id = question_id(read.id)
    options, place = _options(read), _place(read, labels)
    question = Question(
        id=own_id,
        version=1,
        stem=read.question,
        options=options,
        grading=read.grading or _grading(read, options),
        explanation=read.explanation or "",
        hints=read.hints or (),
        mistakes=read.mistakes or (),
        difficulty=read.difficulty or "medium",
        grade=place.grade,
        subject=place.subject,
        topic=place.topic,
        skill=read.skill,
        family=read.family if read.family or read.is_complete else family_of(read.question),
        language=read.language or "en",
        source=read.source or (None if str(own_id) == read.id else read.id),
        licence=read.licence,
        accept=read.accept or (),
        reject=read.reject or (),
    )
    return question if read.is_complete else with_examples(question)


def write_line(question: Question) -> str:
    """Write a question as one line, without its version; read again it is the same question."""
    options = question.options
    line = QuestionLine(
        id=str(question.id),
        type=question.type,
        question=question.stem,
        options=tuple(option.text for option in options) or None,
        option_ids=tuple(option.id for option in options) or None,
        option_roles=tuple(option.role for option in options) or None,
        correct_answer=_shown_key(question),
        **question.model_dump(
            include={
                *("explanation", "difficulty", "grade", "subject", "topic", "skill", "family"),
                *("language", "source", "licence"),
            }
        ),
        hints=question.hints,
        mistakes=question.mistakes,
        grading=question.grading,
        accept=question.accept,
        reject=question.reject,
    )
    return line.model_dump_json()


def _shown_key(question: Question) -> Key:
    grading = question.grading
    if isinstance(grading, MultipleChoice) and grading.several:
        return tuple(option.text for option in question.options if option.id in grading.key)
    return write_key(question)


def _misshapen(error: ValidationError) -> list[Defect]:
    """Say of each field that is not as it should be what it should be, without what it is."""
    told: dict[str, str] = {}
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(one["loc"][0]) if one["loc"] else ""
        told.setdefault(field, one["msg"])
    if "" in told:
        return [Defect("no_json", "The line is no JSON object.")]
    if "correct_answer" in told:
        told["correct_answer"] = "a text, a whole number, true or false, or a list of texts"
    return [Defect("misshapen", f"{field}: {says}") for field, says in told.items()]


def reasons_of(refused: QuestionRefused) -> list[Defect]:
    """Return why a question was refused."""
    return cast("list[Defect]", refused.facts["reasons"])


def _refused(code: str, says: str) -> QuestionRefused:
    return QuestionRefused(reasons=[Defect(code, says)])


class _Place(NamedTuple):
    grade: int
    subject: str
    topic: str


def _place(read: QuestionLine, labels: Labels) -> _Place:
    grade = _label(read.grade, labels.grade, overriding=labels.overriding)
    subject = _label(read.subject, labels.subject, overriding=labels.overriding)
    topic = _label(read.topic, labels.topic, overriding=labels.overriding)
    if grade is None or subject is None or topic is None:
        raise _refused("no_label", "The line lacks its grade, subject or topic, and no option of the command gives it.")
    return _Place(grade, subject, topic)


def _label(own: T | None, given: T | None, *, overriding: bool) -> T | None:
    return given if own is None or (overriding and given is not None) else own


def _options(read: QuestionLine) -> tuple[Option, ...]:
    texts = read.options or ()
    if read.type == "true_false":
        return ()
    if read.type == "fill_in_blank" and texts:
        raise _refused("options_of_a_blank", "A blank is filled in; options belong to multiple_choice.")
    own_letters = not any(text in _LETTERS for text in texts)
    ids = read.option_ids or tuple(_LETTERS[at] if own_letters else f"option-{at + 1}" for at in range(len(texts)))
    roles = read.option_roles or tuple(map(_role, texts))
    if not len(texts) == len(ids) == len(roles):
        raise _refused("misshapen", "option_ids and option_roles have an entry for each option.")
    return tuple(Option(id=own, text=text, role=role) for own, text, role in zip(ids, texts, roles, strict=True))


def _role(text: str) -> Role:
    shown = fold_case(tidy(text))
    return next((role for role, words in _ROLES.items() if words.fullmatch(shown)), "ordinary")


def _grading(read: QuestionLine, options: tuple[Option, ...]) -> Grading:
    key = read.correct_answer
    if key is None or key in ("", ()):
        raise _refused("no_key", "The line has no correct_answer.")
    if read.type == "true_false":
        return TrueFalse(key=_statement(key))
    if isinstance(key, bool):
        raise _refused("unreadable_key", "Only a statement is true or false.")
    keys = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
    if read.type == "multiple_choice":
        return MultipleChoice(key=tuple(_option_id(options, one) for one in keys), several=isinstance(key, tuple))
    return FillIn(blanks=tuple(map(_blank, keys)))


def _statement(key: Key) -> bool:
    holds = key if isinstance(key, bool) else _HOLDS.get(fold_case(tidy(str(key))))
    if holds is None:
        raise _refused("unreadable_key", "A statement's key is true or false.")
    return holds


def _option_id(options: tuple[Option, ...], key: str) -> str:
    """Find the option that a key means: by its id, its text, its text as it is read, or the letter of its place."""
    wanted = fold_case(tidy(key))
    for is_meant in (
        lambda option: option.id == key,
        lambda option: option.text == key,
        lambda option: fold_case(tidy(option.text)) == wanted,
        lambda option: option.id == wanted,
    ):
        for option in options:
            if is_meant(option):
                return option.id
    raise _refused("key_not_among_options", "The key is neither the text nor the id of an option.")


def _blank(key: str) -> Blank:
    """Make the blank that a key asks for: a number if it is one, else words."""
    number = read_key(key)
    if isinstance(number, Unread):
        values = [value for value in _BETWEEN_VALUES.split(tidy(key)) if value]
        if len(values) > 1 and not any(isinstance(read_key(value), Unread) for value in values):
            raise _refused("several_values", "The key has several values: say in `grading` how they are judged (Q21).")
        return TextBlank(accepted=(key,))
    if number.percent:
        return NumberBlank(accepted=(number.text.removesuffix("%"),), asks_percent=True)
    rest = number.value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return NumberBlank(accepted=(number.text,), forms=_EXACT_FORMS if rest > 1 else ())
