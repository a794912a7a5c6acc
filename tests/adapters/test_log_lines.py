"""Log lines: what is written is JSON, and an error's text never is."""

import json
import logging
import subprocess
import sys

from adapters.log_lines import name_the_error

PROGRAM = """
import logging
import structlog
from adapters.log_lines import log_as_json

log_as_json()
try:
    try:
        raise ValueError("Ada Lovelace")
    except ValueError as error:
        raise RuntimeError("ada@example.org") from error
except RuntimeError:
    structlog.get_logger().exception("it_broke", position=7)
    logging.getLogger("a.library").exception("it broke too")
"""


def test_every_logger_writes_json_lines_that_name_errors_without_their_text() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    ours, theirs = (json.loads(line) for line in done.stderr.splitlines())

    assert (ours["event"], ours["level"], ours["position"]) == ("it_broke", "error", 7)
    assert (theirs["event"], theirs["logger"]) == ("it broke too", "a.library")
    assert ours["error"] == theirs["error"] == ["ValueError", "RuntimeError"]
    assert ours["at"][-1].endswith("<module>")
    assert "Ada" not in done.stderr
    assert "ada@" not in done.stderr


def test_a_line_without_an_error_is_left_alone() -> None:
    assert name_the_error(logging.getLogger(), "info", {"event": "quiet", "exc_info": None}) == {"event": "quiet"}
