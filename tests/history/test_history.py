"""History: what any release ever stored, this one reads; the files here are never changed, only joined by new ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from domain.personal import Hidden
from eventstore.codec import decode, encode, event_types
from eventstore.record import leaf, part_of
from eventstore.sealing import commitment, open_sealed, personal_json
from tests.history.examples import EXAMPLES
from tests.history.stored import FOLDER, Stored, file_of, read

FILES = sorted(FOLDER.glob("*.json"))
each_stored = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
CURRENT = [
    file_of(name, event_type.class_version)
    for name, event_type in event_types().items()
    if file_of(name, event_type.class_version).exists()
]


def opened(stored: Stored) -> dict[str, Any] | None:
    """Return the personal fields out of the seal."""
    record = stored.record
    if record.sealed is None:
        return None
    plaintext = open_sealed(
        stored.key,
        record.sealed,
        event_id=record.event_id,
        stream=record.stream,
        event_type=record.type,
        schema=record.schema,
    )
    assert commitment(plaintext) == record.commitment
    fields: dict[str, Any] = json.loads(personal_json(plaintext))
    return fields


@pytest.mark.parametrize("name", event_types())
def test_every_event_type_has_a_stored_event_of_each_of_its_versions(name: str) -> None:
    versions = range(1, event_types()[name].class_version + 1)

    missing = [file_of(name, version).name for version in versions if not file_of(name, version).exists()]

    assert not missing, "write them with `python -m tests.history.stored`"


def test_there_is_no_stored_event_of_a_type_or_version_that_we_forgot() -> None:
    known = {file_of(name, n) for name, kind in event_types().items() for n in range(1, kind.class_version + 1)}

    assert set(FILES) <= known


def test_every_event_type_has_an_example() -> None:
    assert {name: type(example) for name, example in EXAMPLES.items()} == event_types()


@each_stored
def test_a_stored_event_is_read(file: Path) -> None:
    stored = read(file)

    event = decode(stored.record, opened(stored) or Hidden.SEALED)

    assert f"{type(event).TOPIC}.v{stored.record.schema}" == file.stem
    assert event.originator_version == stored.record.version
    assert event.timestamp == stored.record.occurred_at
    assert f"{type(event).CATEGORY}-{event.originator_id}" == stored.record.stream


@each_stored
def test_a_stored_event_is_read_without_its_key_too(file: Path) -> None:
    stored = read(file)

    sealed, erased = (decode(stored.record, hidden) for hidden in Hidden)

    for name in json.loads(stored.personal or "{}"):
        assert (getattr(sealed, name), getattr(erased, name)) == (Hidden.SEALED, Hidden.ERASED)


@each_stored
def test_a_seal_of_any_release_opens(file: Path) -> None:
    stored = read(file)

    assert opened(stored) == (stored.personal and json.loads(stored.personal))


@each_stored
def test_a_stored_event_keeps_its_leaf_and_part(file: Path) -> None:
    stored = read(file)

    assert leaf(stored.record) == stored.leaf
    assert part_of(stored.record.subject, stored.record.stream) == stored.record.part


@pytest.mark.parametrize("file", CURRENT, ids=lambda file: file.stem)
def test_an_event_is_still_stored_in_the_shape_of_its_version(file: Path) -> None:
    """Fails when a field is added, renamed, moved or reformatted without a new `class_version`."""
    stored = read(file)

    encoded = encode(decode(stored.record, opened(stored) or Hidden.SEALED))

    assert (encoded.type, encoded.schema, encoded.stream) == file_parts(stored)
    assert encoded.subject == stored.record.subject
    assert encoded.data == stored.record.data
    assert (encoded.personal and encoded.personal.decode()) == stored.personal


def file_parts(stored: Stored) -> tuple[str, int, str]:
    return stored.record.type, stored.record.schema, stored.record.stream
