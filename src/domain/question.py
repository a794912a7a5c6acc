"""Question: what a learner is asked, what is accepted as right, and how an answer is to be judged, all of it as data.

One object is one version of a question and never changes: the event `QuestionPublished` carries it whole. Numbers in
it are integers or strings; those strings, the keys among them, are written as in English (`1234.5`, `3/4`), whatever
the language of the question. Every default is the safe one. Rule ids (N5, T3, Q7, …) are those of `docs/grading.md`,
read next to `domain.grading`; what only an author can get wrong is found by `domain.defects`.
"""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

QuestionType = Literal["multiple_choice", "true_false", "fill_in_blank"]
Difficulty = Literal["easy", "medium", "hard", "challenge"]
Form = Literal["integer", "decimal", "proper", "improper", "mixed", "percent", "ratio", "scientific"]
Credit = Literal["all_or_nothing", "proportional"]

Exact = Annotated[str, Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,15}|/[1-9][0-9]{0,14})?$")]
"""An exact number: `12`, `-0.25`, `1/3`."""
Line = Annotated[str, Field(max_length=256)]
"""A key, a unit or a word: never longer than an answer may be."""
Lines = Annotated[tuple[Line, ...], Field(max_length=50)]


class Shape(BaseModel):
    """A part of a question: immutable, and nothing in it is guessed or converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Option(Shape):
    """One of the things to choose from."""

    id: Annotated[str, Field(min_length=1, max_length=64)]
    """Stable: `a`, `b`, … or as the author gave it; answers and events name options by it."""
    text: str
    role: Literal["ordinary", "none_of_the_above", "all_of_the_above"] = "ordinary"
    """The last two stay last when options are shuffled; none of the above excludes all others (M5, M7)."""


class Absolute(Shape):
    """Right within this distance of a key, edges included (N5)."""

    kind: Literal["absolute"] = "absolute"
    amount: Exact


class Relative(Shape):
    """Right within this part of a key, as 0.01 of it, edges included (N5)."""

    kind: Literal["relative"] = "relative"
    amount: Exact


class Range(Shape):
    """Right from low to high; an edge is out only where it is said to be open (Q9)."""

    kind: Literal["range"] = "range"
    low: Exact
    high: Exact
    low_is_open: bool = False
    high_is_open: bool = False


Tolerance = Annotated[Absolute | Relative | Range, Field(discriminator="kind")]


class Precision(Shape):
    """Right only when written with so many digits, rounded half up (Q7)."""

    kind: Literal["decimal_places", "significant_figures"]
    digits: Annotated[int, Field(ge=0, le=15)]


class Unit(Shape):
    """A unit of measure: `cm`, `$`, `°C`; the unit `h:mm` is hours written as 1:30."""

    name: Line
    """The way it is written first and shown."""
    also: Lines = ()
    """Other ways to write the same unit."""
    factor: Exact = "1"
    """How much of the question's base one of it is: with metres as the base, 0.01 for centimetres."""
    offset: Exact = "0"
    """What is added after multiplying, for scales such as degrees Fahrenheit."""


class Units(Shape):
    """Which unit belongs to a number, and which others can be read (N9)."""

    mode: Literal["exact", "convert", "unit_only"] = "exact"
    """The unit asked for; any of the table, converted; or a unit alone, without a number."""
    expected: Line
    """Name of the unit that the keys are in; with `unit_only` it is the key."""
    table: Annotated[tuple[Unit, ...], Field(max_length=30)]
    wrong_unit_credit: Exact = "0"
    """Part of the points for the right number with a wrong unit."""


class NumberBlank(Shape):
    """A blank for one number, compared exactly unless a tolerance is set (N1 to N11)."""

    kind: Literal["number"] = "number"
    accepted: Lines
    """Keys, any of which is right."""
    tolerance: Tolerance | None = None
    forms: tuple[Form, ...] = ()
    """Ways of writing that are allowed; none named: all but ratio (N6)."""
    strict: bool = False
    """The right value in another form, percent included: incorrect (True), or asked again (False) (N6, Q5)."""
    simplify: Literal["optional", "required", "enforced"] = "optional"
    """An unsimplified fraction of the right value: correct, asked again, or incorrect (N7)."""
    precision: Precision | None = None
    asks_percent: bool = False
    """The answer is a percentage: key 50 means 50 %, and a number without the sign is asked again (N8, Q13)."""
    units: Units | None = None
    stem_unit: Line | None = None
    """A unit printed beside the blank, tolerated in the answer (Q14)."""
    number_words: bool = False
    """`five` and `one half` are read, in the learner's language (N10)."""


class TextBlank(Shape):
    """A blank for a word or a phrase, compared letter by letter (T1 to T7)."""

    kind: Literal["text"] = "text"
    accepted: Lines
    """Keys, any of which is right."""
    case_sensitive: bool = False
    case_credit: Exact = "0"
    """Part of the points when only upper and lower case differ in a case-sensitive blank (T1)."""
    accents: Literal["exact", "fold", "fold_with_note"] = "fold_with_note"
    """Missing or other accents: incorrect, correct, or correct with a note (T3)."""
    teaches_language: bool = False
    """The blank belongs to a language lesson: accents are exact, whatever is said above (T3)."""
    spelling_tolerance: bool = False
    """One edit is forgiven in keys of 4 to 9 letters, two from 10 on (T4)."""
    homophones: Lines = ()
    """Words that are never a misspelling of the key: `there` for `their` (T4)."""
    ignore_articles: bool = False
    """A leading article of the question's language does not count (T5)."""
    final_punctuation: Literal["ignored", "counts"] = "ignored"
    """Ignored only where the key has none (T5, Q19)."""
    wildcards: bool = False
    """`*` in a key stands for anything, nothing included; the whole answer must match (T6, Q20)."""


class RatioBlank(Shape):
    """A blank for a ratio of two or more whole numbers: `3:4`, `1 : 2 : 3` (Q21)."""

    kind: Literal["ratio"] = "ratio"
    accepted: Lines
    simplify: Literal["optional", "required", "enforced"] = "optional"


class TimeBlank(Shape):
    """A blank for a time of day or a duration: `9:05`, `2:30 pm`, `1:02:03` (Q21)."""

    kind: Literal["time"] = "time"
    accepted: Lines


Item = Annotated[NumberBlank | TextBlank, Field(discriminator="kind")]


class ListBlank(Shape):
    """A blank for several values: a list is compared in order, a set in any (Q21)."""

    kind: Literal["list", "set"]
    items: Annotated[tuple[Item, ...], Field(max_length=10)]
    credit: Credit = "all_or_nothing"


Blank = Annotated[NumberBlank | TextBlank | RatioBlank | TimeBlank | ListBlank, Field(discriminator="kind")]


class MultipleChoice(Shape):
    """Graded by the options chosen (M1 to M5, M7)."""

    type: Literal["multiple_choice"] = "multiple_choice"
    key: tuple[str, ...]
    """Ids of the right options: exactly one unless several are asked for."""
    several: bool = False
    """As many options are to be chosen as the key has, which the stem says."""
    credit: Credit = "all_or_nothing"


class TrueFalse(Shape):
    """Graded as a statement that holds or not (M6); its options are `true` and `false`, and `options` is empty."""

    type: Literal["true_false"] = "true_false"
    key: bool


class FillIn(Shape):
    """Graded blank by blank (T2); an answer has as many parts as there are blanks."""

    type: Literal["fill_in_blank"] = "fill_in_blank"
    blanks: Annotated[tuple[Blank, ...], Field(max_length=20)]
    credit: Credit = "all_or_nothing"


Grading = Annotated[MultipleChoice | TrueFalse | FillIn, Field(discriminator="type")]


class Mistake(Shape):
    """A wrong answer that is expected, and what to say to it; the first that matches counts (N11)."""

    answer: Line
    """As a learner writes it in English notation; of a choice the option's id; of a statement `true` or `false`."""
    feedback: str
    credit: Exact = "0"
    """Part of the points; more than none makes the answer partly right."""
    blank: Annotated[int, Field(ge=0)] = 0
    """Which blank it is about, from 0."""


class Example(Shape):
    """An answer whose verdict is known: tried at publication and on every release of the grader (T7)."""

    answer: str | bool | tuple[str, ...]
    locale: str = "en"


class Question(Shape):
    """One version of a question."""

    id: UUID
    version: Annotated[int, Field(ge=1)]
    stem: str
    """What is asked; the API calls it `question`."""
    options: Annotated[tuple[Option, ...], Field(max_length=26)] = ()
    """In the author's order; of a fill-in they are words to choose from, of a statement there are none."""
    grading: Grading
    explanation: str = ""
    hints: tuple[str, ...] = ()
    mistakes: Annotated[tuple[Mistake, ...], Field(max_length=50)] = ()
    difficulty: Difficulty = "medium"
    grade: Annotated[int, Field(ge=0, le=8)]
    """0 is kindergarten."""
    subject: str
    topic: str
    skill: str | None = None
    family: str | None = None
    """Near-duplicates have the same; None: the question has no relatives."""
    language: str = "en"
    """BCP 47 tag of the language it is written in."""
    source: str | None = None
    """Where it came from: the id it had there."""
    licence: str | None = None
    accept: tuple[Example, ...] = ()
    """Answers that must be correct."""
    reject: tuple[Example, ...] = ()
    """Answers that must not be correct: incorrect or asked again."""

    @property
    def type(self) -> QuestionType:
        """The contract's name of the kind of question."""
        return self.grading.type
