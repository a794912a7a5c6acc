"""Definitions: what an operator imports is what the relay declares."""

from adapters.broker.connection import connect
from adapters.broker.topology import STUDENTS, Topology
from tests.adapters.broker.definitions import FILE, text
from tests.broker import Broker


def test_the_file_for_operators_says_what_the_code_declares() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "python -m tests.adapters.broker.definitions writes it anew"


async def test_what_an_operator_imported_is_what_the_relay_declares(own_rabbitmq: Broker) -> None:
    await own_rabbitmq.control("import_definitions", file=FILE)

    async with await connect(own_rabbitmq.url, name="tests") as connection:
        queues = await Topology().declare_queues(await connection.channel(), STUDENTS, 4)

    assert len(queues) == 4
