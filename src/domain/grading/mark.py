"""Mark: the way into grading: any answer to any question, in any locale, gets a mark."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.grading.choices import mark_choice, mark_statement
from domain.grading.locales import Locale, find_locale
from domain.grading.marks import BLANK, Mark, Unread
from domain.grading.number_blanks import mark_number
from domain.grading.several import mark_list, mark_ratio, mark_time, together
from domain.grading.text_blanks import mark_text
from domain.question import (
    Blank,
    FillIn,
    ListBlank,
    Mistake,
    NumberBlank,
    Question,
    RatioBlank,
    TimeBlank,
    TrueFalse,
)

_NOTHING = Unread("nothing_chosen", "M2")
_NO_ANSWER = Unread("unreadable", "N3")


class Context(NamedTuple):
    """What else counts when a blank is graded."""

    locale: Locale
    """How the learner writes numbers."""
    language: str
    """The question's."""
    others: tuple[str, ...] = ()
    """Words that stand to choose from: never taken for a misspelling."""


def mark(question: Question, answer: object, locale: str = "en") -> Mark:
    """Grade an answer: a text, a boolean, or a list of texts; `locale` is the learner's BCP 47 tag.

    Never raises: what is no answer at all is asked for again.
    """
    grading = question.grading
    if isinstance(grading, FillIn):
        return _mark_blanks(question, grading, answer, find_locale(locale))
    if answer is None:
        return _NOTHING.mark()
    if isinstance(grading, TrueFalse):
        if isinstance(answer, (str, bool, list, tuple)):
            return mark_statement(grading, answer, locale, question.mistakes)
    elif isinstance(answer, (str, list, tuple)):
        return mark_choice(grading, question.options, answer, question.mistakes)
    return Unread("unknown_choice", "M6" if isinstance(grading, TrueFalse) else "M1").mark()


def settle(question: Question, marked: Mark) -> Mark:
    """Return the mark at the end, when nothing is asked again: what was not read is incorrect, and nothing else is."""
    if marked.verdict != "ask_again":
        return marked
    grading = question.grading
    if marked.blanks and isinstance(grading, FillIn):
        blanks = tuple(
            one._replace(verdict="incorrect") if one.verdict == "ask_again" else one for one in marked.blanks
        )
        return together(blanks, grading.credit, marked.rule)._replace(code=marked.code, blanks=blanks)
    return marked._replace(verdict="incorrect")


def mark_blank(blank: Blank, typed: str, context: Context, mistakes: Sequence[Mistake] = ()) -> Mark:
    """Grade what was typed into one blank."""
    if isinstance(blank, NumberBlank):
        return mark_number(blank, typed, context.locale, mistakes)
    if isinstance(blank, ListBlank):
        items = blank.items
        return mark_list(blank, typed, context.locale, lambda at, text: mark_blank(items[at], text, context, mistakes))
    if isinstance(blank, RatioBlank):
        return mark_ratio(blank, typed, mistakes)
    if isinstance(blank, TimeBlank):
        return mark_time(blank, typed, mistakes)
    return mark_text(blank, typed, context.language, mistakes, context.others)


def _mark_blanks(question: Question, grading: FillIn, answer: object, locale: Locale) -> Mark:
    """Grade each blank by itself, then all together."""
    blanks = grading.blanks
    others = tuple([option.text for option in question.options]) if question.options else ()
    context = Context(locale, question.language[:2].lower(), others)
    if len(blanks) == 1 and isinstance(answer, str):
        return mark_blank(blanks[0], answer, context, _about(question.mistakes, 0))
    typed = list(answer) if isinstance(answer, (list, tuple)) else [answer]
    if len(typed) != len(blanks):
        is_blank = not typed or typed == [None] or (isinstance(answer, str) and not answer.strip())
        if is_blank:
            return BLANK.mark()
        return Mark("ask_again", "T2", code="wrong_count", expected_count=len(blanks))
    marks = [
        _mark_one(blank, text, context, _about(question.mistakes, at))
        for at, (blank, text) in enumerate(zip(blanks, typed, strict=True))
    ]
    if len(marks) == 1:
        return marks[0]
    return together(marks, grading.credit, "T2")._replace(blanks=tuple(marks))


def _mark_one(blank: Blank, typed: object, context: Context, mistakes: Sequence[Mistake]) -> Mark:
    if typed is None:
        return BLANK.mark()
    if not isinstance(typed, str):
        return _NO_ANSWER.mark()
    return mark_blank(blank, typed, context, mistakes)


def _about(mistakes: Sequence[Mistake], at: int) -> Sequence[Mistake]:
    return [mistake for mistake in mistakes if mistake.blank == at] if mistakes else ()
