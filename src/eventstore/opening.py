"""Opening: sealed fields made readable, for display, export and review; for nothing else."""

from typing import Any
from uuid import UUID

from pydantic_core import from_json

from domain.personal import Hidden
from eventstore.keys import KeyMissing, KeyStore
from eventstore.sealing import open_sealed, personal_json


async def open_personal(
    keys: KeyStore, person_id: UUID, sealed: bytes, *, event_id: UUID, stream: str, event_type: str, schema: int
) -> dict[str, Any] | Hidden:
    """Return an event's personal fields, or `Hidden.ERASED` where the person's key is gone."""
    try:
        key = await keys.key_of(person_id)
    except KeyMissing:
        return Hidden.ERASED
    plaintext = open_sealed(key, sealed, event_id=event_id, stream=stream, event_type=event_type, schema=schema)
    fields: dict[str, Any] = from_json(personal_json(plaintext))
    return fields
