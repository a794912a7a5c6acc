"""Families: which questions are so alike that they count as one: the same story, whatever its numbers and its question.

A rule of thumb for banks that do not say; English words begin its questions. Without a story of some length only the
very same words are alike, so that `3 + 4` and `7 + 2` stay two questions.
"""

import re
from hashlib import sha256

from domain.grading.wording import fold_case, tidy

_STORY = 8
"""Words that make a story."""
_WORD = re.compile(r"[^\W\d_]+|[0-9]+(?:[.,/:][0-9]+)*")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s+(?=(?:How|What|Which|Who|Whose|When|Where|Why)\b)")
_QUESTION = re.compile(r"\?\W*$|^(?:How|What|Which|Who|Whose|When|Where|Why|Find|Calculate|Determine)\b")


def family_of(stem: str) -> str:
    """Return the name of a stem's family: the same for variants of one story, and for repetitions of one stem."""
    shown = tidy(stem)
    *story, last = _SENTENCE.split(shown)
    words = template(" ".join(story))
    has_story = len(words) >= _STORY and "#" in words and _QUESTION.search(last)
    return sha256((" ".join(words) if has_story else fold_case(shown)).encode()).hexdigest()[:16]


def template(text: str) -> list[str]:
    """Return the words of a text in lower case, with `#` for every number."""
    return ["#" if word[0].isdecimal() else word for word in _WORD.findall(fold_case(tidy(text)))]
