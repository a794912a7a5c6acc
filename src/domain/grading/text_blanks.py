"""Text blanks: typed words judged by the rules of their blank: the key, then what may be overlooked (T1 to T6)."""

from collections.abc import Sequence

from domain.grading.marks import BLANK, LONGEST, TOO_LONG, Mark, credit, part
from domain.grading.spelling import edits_forgiven, is_within, matches
from domain.grading.wording import Rules, Typed, counted_key, tidy, tidy_key
from domain.question import Mistake, TextBlank


def mark_text(
    blank: TextBlank, typed: str, language: str, mistakes: Sequence[Mistake] = (), others: Sequence[str] = ()
) -> Mark:
    """Judge what was typed into a blank for words; `others` are words that are never taken for a misspelling."""
    if len(typed) > LONGEST:
        return TOO_LONG.mark()
    shown = tidy(typed)
    if not shown:
        return BLANK.mark()
    answer = Typed(shown, rules_of(blank, language))
    if _is_right(blank, answer):
        return Mark("correct", "T6" if blank.wildcards else "T1", "1", shown)
    for mistake in mistakes:
        if answer.is_like(mistake.answer):
            return credit(part(mistake.credit), "N11", shown)._replace(feedback=mistake.feedback)
    never = (*blank.homophones, *others, *(mistake.answer for mistake in mistakes))
    return _overlooked(blank, answer, never) or Mark("incorrect", "T1", read_as=shown)


def rules_of(blank: TextBlank, language: str) -> Rules:
    """Return what counts of an answer that is to be right without a note."""
    return Rules(blank.case_sensitive, blank.final_punctuation == "ignored", language if blank.ignore_articles else "")


def folds_accents(blank: TextBlank) -> bool:
    """Tell whether accents may be overlooked: never in the language being taught."""
    return blank.accents != "exact" and not blank.teaches_language


def _overlooked(blank: TextBlank, answer: Typed, never: Sequence[str]) -> Mark | None:
    """Judge an answer that is not a key: its accents, its case, its spelling; None if none of them excuses it."""
    shown, rules = answer.shown, answer.rules
    plain = Typed(shown, rules._replace(folds_accents=folds_accents(blank)))
    if plain.rules.folds_accents and _is_right(blank, plain):
        return Mark("correct", "T3", "1", shown, note="accents" if blank.accents == "fold_with_note" else None)
    if blank.case_sensitive and _is_right(blank, Typed(shown, rules._replace(case_sensitive=False))):
        return credit(part(blank.case_credit), "T1", shown)._replace(note="case")
    if blank.spelling_tolerance and _is_misspelled(blank, plain) and not any(map(plain.is_like, never)):
        return Mark("correct", "T4", "1", shown, note="spelling")
    return None


def _is_misspelled(blank: TextBlank, answer: Typed) -> bool:
    """Tell whether an answer is a key but for the edits that are forgiven in one of its length."""
    for key in blank.accepted:
        wanted = counted_key(key, answer.rules)
        if wanted and is_within(answer.beside(tidy_key(key)), wanted, edits_forgiven(wanted)):
            return True
    return False


def _is_right(blank: TextBlank, answer: Typed) -> bool:
    for key in blank.accepted:
        if answer.is_like(key):
            return True
        if blank.wildcards and "*" in key:
            pattern = counted_key(key, answer.rules)
            if pattern and matches(answer.beside(tidy_key(key)), pattern):
                return True
    return False
