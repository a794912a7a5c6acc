"""Log lines: one JSON object a line on stderr, ours and the libraries'; errors by name and place, never by value.

The text of an exception may quote a row or a request, and a log is no place for children's data.
"""

import logging
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_FRAMES = 12
"""Innermost frames shown of an error."""


class _StandardError:
    """Standard error as it stands at each line; a line that cannot be written ends nothing."""

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(OSError, ValueError):
            return sys.stderr.write(text)
        return 0

    def flush(self) -> None:
        """Flush what can be flushed."""
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def log_as_json(level: int = logging.INFO) -> None:
    """Make every logger of this process write JSON lines to stderr."""
    shared: Sequence[Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_the_error,
    )
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _StandardError())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_StandardError())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def name_the_error(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace an exception by its names, outermost last, and the places it came through."""
    info = event.pop("exc_info", None)
    error = info[1] if isinstance(info, tuple) else sys.exception() if info is True else info
    if isinstance(error, BaseException):
        event["error"] = [type(cause).__qualname__ for cause in _chain(error)]
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.insert(0, error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain
