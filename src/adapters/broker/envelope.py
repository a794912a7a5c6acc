"""Envelope: an event as a CloudEvent, a batch of them as one JSON text, and back.

Each is a CloudEvent 1.0 of its own with our columns as extension attributes, so that any CloudEvents library reads it.
Personal fields travel sealed, as they rest. Data comes back as equal JSON, not as equal bytes: evidence is computed
from the log alone.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from eventstore.record import Record

CONTENT_TYPE = "application/cloudevents-batch+json"
SOURCE = "/afterschool/log"
TYPE_PREFIX = "afterschool."


def encode(record: Record) -> bytes:
    """Return a record as a CloudEvent in JSON."""
    event: dict[str, object] = {
        "specversion": "1.0",
        "id": str(record.event_id),
        "source": SOURCE,
        "type": TYPE_PREFIX + record.type,
        "subject": str(record.subject or record.stream),
        "time": record.occurred_at,
        "datacontenttype": "application/json",
        "data": orjson.Fragment(record.data),
        "format": record.format,
        "position": str(record.position),  # an integer of a CloudEvent has 32 bits
        "part": record.part,
        "stream": record.stream,
        "streamversion": record.version,
        "schemaversion": record.schema,
        "commandid": str(record.command_id),
        "causationid": str(record.causation_id),
        "correlationid": str(record.correlation_id),
        "actor": str(record.actor),
        "recordedat": record.recorded_at,
    }
    if record.subject:
        event["personid"] = str(record.subject)
    if record.on_behalf_of:
        event["onbehalfof"] = str(record.on_behalf_of)
    if record.consent_id:
        event["consentid"] = str(record.consent_id)
    if record.traceparent is not None:
        event["traceparent"] = record.traceparent
    if record.sealed is not None:
        event["sealed"] = b64encode(record.sealed).decode()
    if record.commitment is not None:
        event["commitment"] = b64encode(record.commitment).decode()
    return orjson.dumps(event)


def batch(events: Iterable[bytes]) -> bytes:
    """Return encoded events as one CloudEvents batch."""
    return b"[" + b",".join(events) + b"]"


def decode_batch(body: bytes) -> list[Record]:
    """Return the records of a batch; raises `ValueError`, `LookupError`, `TypeError` or `AttributeError` at others."""
    return [_record(event) for event in orjson.loads(body)]


def _record(event: Mapping[str, Any]) -> Record:
    return Record(
        format=event["format"],
        position=int(event["position"]),
        part=event["part"],
        stream=event["stream"],
        version=event["streamversion"],
        event_id=UUID(event["id"]),
        type=event["type"].removeprefix(TYPE_PREFIX),
        schema=event["schemaversion"],
        subject=_uuid(event, "personid"),
        command_id=UUID(event["commandid"]),
        causation_id=UUID(event["causationid"]),
        correlation_id=UUID(event["correlationid"]),
        actor=UUID(event["actor"]),
        on_behalf_of=_uuid(event, "onbehalfof"),
        consent_id=_uuid(event, "consentid"),
        traceparent=event.get("traceparent"),
        occurred_at=datetime.fromisoformat(event["time"]),
        recorded_at=datetime.fromisoformat(event["recordedat"]),
        data=orjson.dumps(event["data"]).decode(),
        sealed=_bytes(event, "sealed"),
        commitment=_bytes(event, "commitment"),
    )


def _uuid(event: Mapping[str, Any], name: str) -> UUID | None:
    return UUID(event[name]) if name in event else None


def _bytes(event: Mapping[str, Any], name: str) -> bytes | None:
    return b64decode(event[name], validate=True) if name in event else None
