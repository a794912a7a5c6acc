"""Choices: which options an answer means, and what they are worth (M1 to M6)."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from domain.grading.locales import find_locale
from domain.grading.marks import LONGEST, TOO_LONG, Mark, Unread, credit, part
from domain.grading.wording import fold_case, tidy
from domain.question import Mistake, MultipleChoice, Option, TrueFalse

_NOTHING = Unread("nothing_chosen", "M2")
_UNKNOWN = Unread("unknown_choice", "M1")
_NO_STATEMENT = Unread("unknown_choice", "M6")

_YES_NO = {
    "en": ("true yes t", "false no f"),
    "de": ("wahr richtig ja w", "falsch nein f"),
    "fr": ("vrai oui v", "faux non f"),
    "it": ("vero s\u00ec si v", "falso no f"),
    "es": ("verdadero cierto s\u00ed si v", "falso no f"),
    "pt": ("verdadeiro sim v", "falso n\u00e3o nao f"),
    "nl": ("waar ja w", "onwaar nee o"),
    "pl": ("prawda tak p", "fa\u0142sz nie f"),
}
"""The words of each language for a statement that holds, and for one that does not."""
_EVERYWHERE = {"true": True, "false": False, "1": True, "0": False}


def _words(language: str) -> Mapping[str, bool]:
    holds, fails = _YES_NO.get(language, _YES_NO["en"])
    return dict.fromkeys(holds.split(), True) | dict.fromkeys(fails.split(), False) | _EVERYWHERE


_WORDS = {language: _words(language) for language in _YES_NO}


def mark_choice(
    grading: MultipleChoice, options: Sequence[Option], answer: str | Sequence[object], mistakes: Sequence[Mistake]
) -> Mark:
    """Judge the options chosen, by id or by text."""
    chosen = _chosen(options, [answer] if isinstance(answer, str) else answer)
    if isinstance(chosen, Unread):
        return chosen.mark()
    texts = {option.id: option.text for option in options}
    asked = _asked_again(grading, options, chosen)
    read_as = "; ".join(texts[one] for one in chosen)
    if asked is not None:
        return asked._replace(read_as=read_as, chosen=chosen)
    return _judged(grading, chosen, read_as, mistakes)._replace(chosen=chosen)


def mark_statement(grading: TrueFalse, answer: object, locale: str, mistakes: Sequence[Mistake]) -> Mark:
    """Judge whether a statement was said to hold; JSON booleans and the words of the learner's language are read."""
    if isinstance(answer, (list, tuple)):
        if len(answer) > 1:
            return Mark("ask_again", "M3", code="too_many_chosen", expected_count=1)
        answer = answer[0] if answer else ""
    said = _said(answer, locale)
    if isinstance(said, Unread):
        return said.mark()
    name = "true" if said else "false"
    if said == grading.key:
        return Mark("correct", "M6", "1", name, chosen=(name,))
    return _mistaken(mistakes, (name,), "M6", name)._replace(chosen=(name,))


def _said(answer: object, locale: str) -> bool | Unread:
    if isinstance(answer, bool):
        return answer
    if not isinstance(answer, str):
        return _NO_STATEMENT
    if len(answer) > LONGEST:
        return TOO_LONG
    word = fold_case(tidy(answer))
    said = _WORDS.get(find_locale(locale).language, _WORDS["en"]).get(word)
    return (_NO_STATEMENT if word else _NOTHING) if said is None else said


def _chosen(options: Sequence[Option], answer: Sequence[object]) -> tuple[str, ...] | Unread:
    """Return the ids of the options meant, each once, in the order they were named."""
    found: dict[str, None] = {}
    for one in answer:
        if not isinstance(one, str):
            return _UNKNOWN
        if one.strip():
            option = _find(options, one)
            if isinstance(option, Unread):
                return option
            found[option.id] = None
    return tuple(found) or _NOTHING


def _find(options: Sequence[Option], named: str) -> Option | Unread:
    """Find the option of this id, else of this very text, else of this text as it is read."""
    for option in options:
        if option.id == named:
            return option
    for option in options:
        if option.text == named:
            return option
    if len(named) > LONGEST:
        return TOO_LONG
    wanted = fold_case(tidy(named))
    alike = [option for option in options if fold_case(tidy(option.text)) == wanted]
    return alike[0] if len(alike) == 1 else _UNKNOWN


def _asked_again(grading: MultipleChoice, options: Sequence[Option], chosen: Sequence[str]) -> Mark | None:
    """Ask again for another number of options; none of the above stands alone, and may."""
    if not grading.several:
        too_many = Mark("ask_again", "M3", code="too_many_chosen", expected_count=1)
        return too_many if len(chosen) > 1 else None
    excluding = {option.id for option in options if option.role == "none_of_the_above"}
    if excluding.intersection(chosen):
        too_many = Mark("ask_again", "M5", code="too_many_chosen")
        return too_many if len(chosen) > 1 else None
    if len(chosen) == len(grading.key) or excluding.intersection(grading.key):
        return None
    return Mark("ask_again", "M4", code="wrong_count", expected_count=len(grading.key))


def _judged(grading: MultipleChoice, chosen: Sequence[str], read_as: str, mistakes: Sequence[Mistake]) -> Mark:
    key = set(grading.key)
    rule = "M4" if grading.several else "M1"
    if key == set(chosen):
        return Mark("correct", rule, "1", read_as)
    if grading.several and grading.credit == "proportional" and key:
        return credit(str(Fraction(len(key.intersection(chosen)), len(key))), rule, read_as)
    return _mistaken(mistakes, chosen, rule, read_as)


def _mistaken(mistakes: Sequence[Mistake], chosen: Sequence[str], rule: str, read_as: str) -> Mark:
    mistake = next((one for one in mistakes if one.answer in chosen), None)
    if mistake is None:
        return Mark("incorrect", rule, read_as=read_as)
    return credit(part(mistake.credit), "N11", read_as)._replace(feedback=mistake.feedback)
