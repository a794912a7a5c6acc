"""Soundness: what is true of every log, and of every answer that the log gave."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from uuid import UUID

from domain.cause import event_id
from eventstore.append import Accepted, Append, Verdict
from eventstore.record import Record


def assert_sound(records: Sequence[Record]) -> None:
    """Positions and every stream's versions have no hole; a command's events stand together, whole and once."""
    assert [record.position for record in records] == list(range(1, len(records) + 1))
    versions: dict[str, list[int]] = defaultdict(list)
    commands: dict[UUID, list[Record]] = defaultdict(list)
    for record in records:
        versions[record.stream].append(record.version)
        commands[record.command_id].append(record)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    for command_id, found in commands.items():
        first = found[0].position
        assert [record.event_id for record in found] == [event_id(command_id, n + 1) for n in range(len(found))]
        assert [record.position for record in found] == [first + n for n in range(len(found))]
    moments = [record.recorded_at for record in records]
    assert moments == sorted(moments)


def assert_answered(records: Sequence[Record], answered: Iterable[tuple[Append, Verdict]]) -> None:
    """Every accepted command's events stand exactly where its verdict says; of the refused there is nothing."""
    sent: set[UUID] = set()
    promised: dict[int, UUID] = {}
    for append, verdict in answered:
        sent.add(append.command_id)
        if isinstance(verdict, Accepted):
            assert verdict.last == verdict.first + len(append.rows) - 1
            promised |= {verdict.first + n: row.event_id for n, row in enumerate(append.rows)}
    assert {record.position: record.event_id for record in records if record.command_id in sent} == promised
