"""Deliveries: what a subscription would hand to a projector, cut by hand."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from eventstore.record import Record
from workers.subscription import Delivery, Slice


class Sender:
    """Packs records into deliveries and remembers what each part was sent before."""

    def __init__(self) -> None:
        self._sent: dict[int, int] = defaultdict(int)

    def pack(self, records: Sequence[Record]) -> Delivery:
        """Return the next delivery: these records, which go on where the last ones ended."""
        last = records[-1]
        parts = {record.part for record in records}
        slices = [
            Slice(part, self._sent[part], [r for r in records if r.part == part], last.position, last.event_id)
            for part in sorted(parts)
        ]
        self._sent.update(dict.fromkeys(parts, last.position))
        return Delivery(slices)


def packed(records: Sequence[Record], cuts: Sequence[int]) -> list[Delivery]:
    """Return the records as deliveries, cut before these indices."""
    sender = Sender()
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(records)}), len(records)]
    return [sender.pack(records[a:b]) for a, b in pairwise(edges) if a < b]


def joined(first: Delivery, second: Delivery) -> Delivery:
    """Return two deliveries as one."""
    return Delivery(first.slices + second.slices)
