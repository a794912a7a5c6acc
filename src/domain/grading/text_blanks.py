"""Text blanks: typed words judged by the rules of their blank: the key, then what may be overlooked (T1 to T6)."""

from collections.abc import Callable, Sequence

from domain.grading.marks import BLANK, LONGEST, TOO_LONG, Mark, credit, part
from domain.grading.spelling import edits_forgiven, is_within, matches
from domain.grading.wording import Wording, fold_accents, fold_case, tidy, tidy_key
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
    wording = Wording(blank, language)
    if _is_one_of(blank, shown, wording.of):
        return Mark("correct", "T6" if blank.wildcards else "T1", "1", shown)
    for mistake in mistakes:
        if _same(shown, mistake.answer, wording.of):
            return credit(part(mistake.credit), "N11", shown)._replace(feedback=mistake.feedback)
    never = (*blank.homophones, *others, *(mistake.answer for mistake in mistakes))
    return _overlooked(blank, shown, wording, never) or Mark("incorrect", "T1", read_as=shown)


def _overlooked(blank: TextBlank, shown: str, wording: Wording, never: Sequence[str]) -> Mark | None:
    """Judge an answer that is not a key: its accents, its case, its spelling; None if none of them excuses it."""
    folds = blank.accents != "exact" and not blank.teaches_language

    def unaccented(text: str, like: str) -> str:
        return fold_accents(wording.of(text, like)) if folds else wording.of(text, like)

    if folds and _is_one_of(blank, shown, unaccented):
        return Mark("correct", "T3", "1", shown, note="accents" if blank.accents == "fold_with_note" else None)
    if blank.case_sensitive and _is_one_of(blank, shown, lambda text, like: fold_case(wording.of(text, like))):
        return credit(part(blank.case_credit), "T1", shown)._replace(note="case")
    if not blank.spelling_tolerance or any(_same(shown, other, unaccented) for other in never):
        return None
    for key in blank.accepted:
        wanted = unaccented(tidy_key(key), tidy_key(key))
        if is_within(unaccented(shown, tidy_key(key)), wanted, edits_forgiven(wanted)):
            return Mark("correct", "T4", "1", shown, note="spelling")
    return None


def _same(shown: str, key: str, of: Callable[[str, str], str]) -> bool:
    like = tidy_key(key)
    return bool(like) and of(shown, like) == of(like, like)


def _is_one_of(blank: TextBlank, shown: str, of: Callable[[str, str], str]) -> bool:
    for key in blank.accepted:
        like = tidy_key(key)
        if not like:
            continue
        if blank.wildcards and "*" in like:
            if matches(of(shown, like), of(like, like)):
                return True
        elif of(shown, like) == of(like, like):
            return True
    return False
