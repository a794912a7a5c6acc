"""Stored: an event as a release once stored it, in a file that nobody changes ever again.

`python -m tests.history.stored` writes the file of every event type and version that has none yet.
"""

import json
import sys
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.events import Event
from eventstore.codec import encode
from eventstore.record import Record, leaf, part_of
from eventstore.sealing import PersonKey, seal
from tests.history.examples import EXAMPLES, WHEN

FOLDER = Path(__file__).parent
_COMMAND = UUID("0190a1b2-0000-4000-8000-00000000000c")
_UUIDS = ("event_id", "subject", "command_id", "causation_id", "correlation_id", "actor", "on_behalf_of", "consent_id")


@dataclass(frozen=True)
class Stored:
    """A row of the log, its leaf, and the person's key with what it opens."""

    record: Record
    leaf: bytes
    key: PersonKey
    personal: str | None
    """JSON of the personal fields."""


def file_of(event_type: str, version: int) -> Path:
    return FOLDER / f"{event_type}.v{version}.json"


def read(file: Path) -> Stored:
    content = json.loads(file.read_text(encoding="utf-8"))
    row = content["row"]
    columns = row | {name: row[name] and UUID(row[name]) for name in _UUIDS}
    columns |= {name: datetime.fromisoformat(row[name]) for name in ("occurred_at", "recorded_at")}
    columns |= {name: row[name] and bytes.fromhex(row[name]) for name in ("sealed", "commitment")}
    key = PersonKey(UUID(content["key_id"]), AESGCM(bytes.fromhex(content["key"])))
    return Stored(Record(**columns), bytes.fromhex(content["leaf"]), key, content["personal"])


def write(event: Event, file: Path) -> None:
    key_id, key = uuid5(_COMMAND, "key"), sha256(b"a key of the tests").digest()
    encoded = encode(event)
    event_id = uuid5(_COMMAND, encoded.type)
    sealed = commitment = None
    if encoded.personal is not None:
        sealed, commitment = seal(
            PersonKey(key_id, AESGCM(key)),
            encoded.personal,
            event_id=event_id,
            stream=encoded.stream,
            event_type=encoded.type,
            schema=encoded.schema,
        )
    record = Record(
        format=1,
        position=1,
        part=part_of(encoded.subject, encoded.stream),
        stream=encoded.stream,
        version=event.originator_version,
        event_id=event_id,
        type=encoded.type,
        schema=encoded.schema,
        subject=encoded.subject,
        command_id=_COMMAND,
        causation_id=_COMMAND,
        correlation_id=_COMMAND,
        actor=event.originator_id,
        on_behalf_of=None,
        consent_id=None,
        traceparent=None,
        occurred_at=event.timestamp,
        recorded_at=WHEN,
        data=encoded.data,
        sealed=sealed,
        commitment=commitment,
    )
    content = {
        "row": record._asdict() | {"sealed": sealed and sealed.hex(), "commitment": commitment and commitment.hex()},
        "leaf": leaf(record).hex(),
        "key_id": str(key_id),
        "key": key.hex(),
        "personal": encoded.personal and encoded.personal.decode(),
    }
    file.write_text(json.dumps(content, indent=2, default=str, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name, example in EXAMPLES.items():
        missing = file_of(name, type(example).class_version)
        if not missing.exists():
            write(example, missing)
            sys.stdout.write(f"wrote {missing.name}\n")
