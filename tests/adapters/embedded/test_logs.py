"""Logs of one machine: a fresh one at each start, and the last few kept."""

import stat
from pathlib import Path

from adapters.embedded.logs import fresh_log


def test_each_start_has_a_fresh_log_and_the_last_five_are_kept(tmp_path: Path) -> None:
    for run in range(8):
        log = fresh_log(tmp_path / "logs", "api")
        assert not log.exists()
        log.write_text(str(run), encoding="utf-8")

    texts = {file.name: file.read_text(encoding="utf-8") for file in (tmp_path / "logs").iterdir()}

    assert texts == {"api.log": "7", **{f"api.log.{age}": str(7 - age) for age in range(1, 6)}}
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
