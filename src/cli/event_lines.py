"""Event lines: a record of the log as a person or a program reads it; what is sealed stays sealed."""

from base64 import b64encode

import orjson

from eventstore.record import COLUMNS, Record, leaf
from eventstore.sealing import key_id_of

_HEADER = tuple(COLUMNS.split(", ")[:-3])
"""The columns before `data`, `sealed` and `commitment`."""
FIRST_BYTES = b'{"format":'
"""How every JSON line begins."""


def json_line(record: Record, *, with_sealed: bool = False, with_leaf: bool = False) -> bytes:
    """Return the record as one JSON object on a line: every column, `data` exactly as the log keeps it, at the end.

    `key_id` and `sealed_bytes` tell of the personal fields; their sealed bytes come in base64 if asked for.
    """
    shown: dict[str, object] = dict(zip(_HEADER, record, strict=False))
    shown["key_id"] = record.sealed and key_id_of(record.sealed)
    shown["sealed_bytes"] = record.sealed and len(record.sealed)
    if with_sealed:
        shown["sealed"] = record.sealed and b64encode(record.sealed).decode()
    shown["commitment"] = record.commitment and record.commitment.hex()
    if with_leaf:
        shown["leaf"] = leaf(record).hex()
    return b'%b,"data":%b}\n' % (orjson.dumps(shown, default=str, option=orjson.OPT_UTC_Z)[:-1], record.data.encode())


def short_line(record: Record) -> str:
    """Return the record as one line for a terminal: position, time, type, stream and version, and the clear fields."""
    sealed = "  + sealed" if record.sealed else ""
    moment = record.recorded_at.isoformat(" ", "milliseconds")[:23]
    line = f"{record.position:>8}  {moment}  {record.type:<18}  {record.stream} v{record.version}  {record.data}"
    return printable(line + sealed)


def long_lines(record: Record) -> str:
    """Return the record for a terminal, a line a column, with its leaf in the evidence tree."""
    shown = {name: str(value) for name in _HEADER if (value := getattr(record, name)) is not None}
    if record.sealed:
        shown["sealed"] = f"{len(record.sealed)} bytes under key {key_id_of(record.sealed)}"
    if record.commitment:
        shown["commitment"] = record.commitment.hex()
    shown["leaf"] = leaf(record).hex()
    shown["data"] = record.data
    return "\n".join(f"{name:<14}  {printable(value)}" for name, value in shown.items())


def printable(text: str) -> str:
    r"""Return text that a terminal only shows: what would steer it is written as \u009b."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
