"""Keys of one machine: made once, for their owner's eyes only, and never made anew over data."""

import stat
from pathlib import Path

import pytest

from adapters.embedded.keys import ensure_keys
from adapters.embedded.process import DidNotStart

NAMES = ["auth_key", "fingerprint_keys", "master_keys", "supabase_publishable_key", "supabase_secret_key"]


def test_the_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "keys", data_exists=False)
    before = {name: file.read_bytes() for name, file in keys.items()}

    again = ensure_keys(tmp_path / "keys", data_exists=True)

    assert {name: file.read_bytes() for name, file in again.items()} == before
    assert sorted(before) == NAMES
    assert len(set(before.values())) == len(NAMES)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in keys.values())
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("name", NAMES)
def test_a_key_that_is_missing_beside_data_is_not_made_anew(tmp_path: Path, name: str) -> None:
    keys = ensure_keys(tmp_path, data_exists=False)
    keys[name].unlink()

    with pytest.raises(DidNotStart, match=f"{name} is missing: bring it back from a backup"):
        ensure_keys(tmp_path, data_exists=True)

    assert not keys[name].exists()


def test_a_first_start_that_was_cut_off_before_there_was_data_goes_on(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path, data_exists=False)
    kept = keys["master_keys"].read_bytes()
    keys["supabase_secret_key"].unlink()

    again = ensure_keys(tmp_path, data_exists=False)

    assert again["supabase_secret_key"].exists()
    assert again["master_keys"].read_bytes() == kept
