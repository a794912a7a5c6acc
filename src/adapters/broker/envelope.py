"""Envelope: an event as a CloudEvent in JSON, written by Postgres; and a batch of them read back.

Each is a CloudEvent 1.0 of its own with our columns as extension attributes, so that any CloudEvents library reads it.
What is the rule is left out: a `causationid` or `correlationid` that is the command's own, an `actor` who is the
subject, a `format` of 1. Personal fields travel sealed, as they rest. Data comes back as equal JSON, not as equal
bytes: evidence is computed from the log alone.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

import orjson
from asyncpg.pgproto.pgproto import UUID  # eight times as fast, and what a row of the log holds as well

from eventstore.record import FORMAT, Record

T = TypeVar("T")

CONTENT_TYPE = "application/cloudevents-batch+json"
SOURCE = "/afterschool/log"
TYPE_PREFIX = "afterschool."

# Postgres writes it several times faster than this process could; the position is a text, because an integer of a
# CloudEvent has 32 bits. `concat` leaves out what is null, and with it the name of the attribute.
ENVELOPE = f"""
concat(
    '{{"specversion":"1.0","id":"', event_id, '","source":"{SOURCE}","type":', to_json('{TYPE_PREFIX}' || type),
    ',"subject":', to_json(coalesce(subject::text, stream)), ',"time":', to_json(occurred_at), ',"data":', data,
    ',"position":"', position, '","part":', part,
    ',"stream":', to_json(stream), ',"streamversion":', version, ',"schemaversion":', schema,
    ',"commandid":"', command_id, '","recordedat":', to_json(recorded_at),
    ',"format":' || nullif(format, {FORMAT}),
    ',"causationid":"' || nullif(causation_id, command_id) || '"',
    ',"correlationid":"' || nullif(correlation_id, command_id) || '"',
    ',"actor":"' || case when actor = subject then null else actor end || '"',
    ',"onbehalfof":"' || on_behalf_of || '"',
    ',"consentid":"' || consent_id || '"',
    ',"traceparent":' || to_json(traceparent),
    ',"sealed":"' || translate(encode(sealed, 'base64'), E'\\n', '') || '"',
    ',"commitment":"' || translate(encode(commitment, 'base64'), E'\\n', '') || '"',
'}}')
"""
"""A row of `events` as a CloudEvent in JSON, in SQL."""


def decode_batch(body: bytes) -> list[Record]:
    """Return the records of a batch; raises `ValueError`, `LookupError`, `TypeError` or `AttributeError` at others."""
    return [_record(event) for event in orjson.loads(body)]


def _record(event: Mapping[str, Any]) -> Record:
    command_id = UUID(event["commandid"])
    subject = None if event["subject"] == event["stream"] else UUID(event["subject"])
    actor = _uuid(event, "actor", subject)
    if actor is None:
        raise ValueError("an event without a subject names its actor")
    return Record(
        format=event.get("format", FORMAT),
        position=int(event["position"]),
        part=event["part"],
        stream=event["stream"],
        version=event["streamversion"],
        event_id=UUID(event["id"]),
        type=event["type"].removeprefix(TYPE_PREFIX),
        schema=event["schemaversion"],
        subject=subject,
        command_id=command_id,
        causation_id=_uuid(event, "causationid", command_id),
        correlation_id=_uuid(event, "correlationid", command_id),
        actor=actor,
        on_behalf_of=_uuid(event, "onbehalfof", None),
        consent_id=_uuid(event, "consentid", None),
        traceparent=event.get("traceparent"),
        occurred_at=datetime.fromisoformat(event["time"]),
        recorded_at=datetime.fromisoformat(event["recordedat"]),
        data=orjson.dumps(event["data"]).decode(),
        sealed=_bytes(event, "sealed"),
        commitment=_bytes(event, "commitment"),
    )


def _uuid(event: Mapping[str, Any], name: str, otherwise: T) -> UUID | T:
    return UUID(event[name]) if name in event else otherwise


def _bytes(event: Mapping[str, Any], name: str) -> bytes | None:
    return b64decode(event[name], validate=True) if name in event else None
