"""Spelling: how many edits a word is from another, and whether so many are forgiven (T4); wildcards (T6)."""


def edits_forgiven(key: str) -> int:
    """Return how many edits are forgiven in a key: none up to 3 letters, one up to 9, else two."""
    return 0 if len(key) <= 3 else 1 if len(key) <= 9 else 2  # noqa: PLR2004  the rule's own numbers


def is_within(word: str, key: str, edits: int) -> bool:
    """Tell whether a word becomes another by so many edits at most.

    An edit is a letter left out, added or replaced, or two neighbours swapped (optimal string alignment).
    """
    if abs(len(word) - len(key)) > edits:
        return False
    shorter = min(len(word), len(key))
    same = next((at for at in range(shorter) if word[at] != key[at]), shorter)
    word, key = word[same:], key[same:]
    if not edits or not (word and key):
        return max(len(word), len(key)) <= edits
    return (
        is_within(word[1:], key[1:], edits - 1)
        or is_within(word[1:], key, edits - 1)
        or is_within(word, key[1:], edits - 1)
        or (word[:2] == key[1::-1] and is_within(word[2:], key[2:], edits - 1))
    )


def matches(text: str, pattern: str) -> bool:
    """Tell whether the whole text fits a pattern in which `*` stands for anything; each part is looked for once."""
    first, *parts = pattern.split("*")
    if not parts:
        return text == pattern
    *middle, last = parts
    if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
        return False
    at, end = len(first), len(text) - len(last)
    for wanted in middle:
        found = text.find(wanted, at, end)
        if found < 0:
            return False
        at = found + len(wanted)
    return True
