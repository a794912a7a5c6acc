"""Codec: a domain event to the columns that hold it, and back, under its public name and schema version.

Clear fields become JSON in the order they are declared; personal fields become a second JSON that is sealed. Older
schema versions are lifted by the event's own `upcast_vN_vM` steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from pydantic_core import from_json

from domain import events as catalogue
from domain.events import Event
from domain.personal import Hidden, PersonalMark
from eventstore.record import Record

_HEADER = frozenset({"originator_id", "originator_version", "timestamp", "originator_topic"})
_PERSONAL_STREAMS = frozenset({"user", "learner", "practice"})


class UnknownEvent(LookupError):
    """The log holds an event type, or a newer schema of one, that this release does not know."""


class Encoded(NamedTuple):
    """An event's columns before it is sealed and placed."""

    stream: str
    subject: UUID | None
    type: str
    schema: int
    data: str
    personal: bytes | None
    """JSON of the personal fields, to be sealed; None where the type has none."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The fields of an event class, by how they rest."""

    clear: set[str]
    personal: set[str]


def event_types() -> dict[str, type[Event]]:
    """Return every event class by its public name."""
    return dict(_types())


@cache
def _types() -> Mapping[str, type[Event]]:
    found = (value for value in vars(catalogue).values() if isinstance(value, type) and issubclass(value, Event))
    return {event_type.TOPIC: event_type for event_type in found if event_type is not Event}


@cache
def _shape(event_type: type[Event]) -> _Shape:
    fields = {name: field for name, field in event_type.model_fields.items() if name not in _HEADER}
    personal = {n for n, f in fields.items() if any(isinstance(m, PersonalMark) for m in f.metadata)}
    return _Shape(clear=fields.keys() - personal, personal=personal)


@lru_cache(maxsize=50_000)
def stream_of(category: str, originator_id: UUID) -> str:
    """Return the name of a stream, as in `practice-<uuid>`."""
    return f"{category}-{originator_id}"


def encode(event: Event) -> Encoded:
    """Turn an event into columns; refuses one whose personal fields were never opened, for it would lose them."""
    event_type = type(event)
    shape = _shape(event_type)
    if shape.personal and any(isinstance(getattr(event, name), Hidden) for name in shape.personal):
        raise ValueError("an event with hidden fields cannot be stored")
    category = event_type.CATEGORY
    to_json = event.__pydantic_serializer__.to_json
    return Encoded(
        stream=stream_of(category, event.originator_id),
        subject=event.originator_id if category in _PERSONAL_STREAMS else None,
        type=event_type.TOPIC,
        schema=event_type.class_version,
        data=to_json(event, include=shape.clear).decode() if shape.clear else "{}",
        personal=to_json(event, include=shape.personal) if shape.personal else None,
    )


@cache
def _reading(name: str, schema: int) -> tuple[type[Event], set[str], list[Callable[[dict[str, Any]], None]]]:
    """Return the class of an event, its personal fields, and the steps from an older schema to today's."""
    event_type = _types().get(name)
    if event_type is None or schema > event_type.class_version:
        raise UnknownEvent(name, schema)
    steps = range(schema, event_type.class_version)
    upcasts = [getattr(event_type, f"upcast_v{version}_v{version + 1}") for version in steps]
    return event_type, _shape(event_type).personal, upcasts


def decode(record: Record, personal: Mapping[str, object] | Hidden = Hidden.SEALED) -> Event:
    """Turn a row back into its event, as of today's schema; raises `UnknownEvent`.

    `personal` holds the opened personal fields; a `Hidden` fills each of them instead.
    """
    event_type, personal_fields, upcasts = _reading(record.type, record.schema)
    state: dict[str, Any] = from_json(record.data)
    if personal_fields:
        state.update(dict.fromkeys(personal_fields, personal) if isinstance(personal, Hidden) else personal)
    for upcast in upcasts:
        upcast(state)
    state["originator_id"] = record.subject or UUID(record.stream[-36:])
    state["originator_version"] = record.version
    state["timestamp"] = record.occurred_at
    decoded: Event = event_type.__pydantic_validator__.validate_python(state, strict=False)
    return decoded
