"""Cause: an event's id follows from its command, so that a repeat can never make another one."""

from uuid import UUID, uuid4

from domain.cause import event_id

COMMAND = UUID("0190a1b2-0000-4000-8000-00000000000c")


def test_the_ids_of_a_commands_events_never_change() -> None:
    assert event_id(COMMAND, 1) == UUID("c5c33444-f400-5cfa-8a3e-7b46da49c38e")
    assert event_id(COMMAND, 12) == UUID("f9c21a2c-5786-5e89-b5c3-311ee91db5ab")


def test_no_two_events_share_an_id() -> None:
    ids = {event_id(command, n) for command in (uuid4(), uuid4()) for n in range(1, 50)}

    assert len(ids) == 2 * 49
