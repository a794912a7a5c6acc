"""Question files: JSON lines, plain or gzipped, read one by one in constant memory."""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

LONGEST = 1 << 20
"""Bytes a line may have."""
_GZIP = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class FileUnreadable(Exception):
    """The file is cut off or damaged."""


def count_lines(file: Path) -> int:
    """Return how many lines a file has."""
    count, last = 0, b"\n"
    with _opened(file) as opened:
        while piece := opened.read(LONGEST):
            count, last = count + piece.count(b"\n"), piece[-1:]
    return count + (last != b"\n")


def numbered_lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank with its number, from 1; one that is too long is cut off and no JSON."""
    number = 0
    with _opened(file) as opened:
        while line := opened.readline(LONGEST):
            number += 1
            rest = line
            while not rest.endswith(b"\n") and (rest := opened.readline(LONGEST)):
                pass
            line = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
            if line.strip():
                yield number, line


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    with file.open("rb") as plain:
        is_zipped = plain.read(len(_GZIP)) == _GZIP
        plain.seek(0)
        try:
            with gzip.open(plain) if is_zipped else nullcontext(plain) as opened:
                yield cast("BinaryIO", opened)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise FileUnreadable(f"{file} is cut off or damaged.") from None
