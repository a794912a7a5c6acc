"""Personal: the mark on a field that rests sealed under its person's key, and what is read when it stays shut."""

from enum import Enum
from typing import Annotated, TypeVar

T = TypeVar("T")


class Hidden(Enum):
    """What a personal field reads as when its value is not shown."""

    SEALED = "sealed"
    """The reader did not ask for it to be opened."""
    ERASED = "erased"
    """The person was erased: the key is gone and nobody can open it again."""


class PersonalMark:
    """Marks a field as personal; the codec keeps such fields out of the clear record."""


Personal = Annotated[T | Hidden, PersonalMark()]
