"""Definitions: the topology as RabbitMQ imports it, for operators whose broker lets no application declare anything.

`python -m tests.adapters.broker.definitions` writes infra/rabbitmq/definitions.json anew.
"""

import json
from pathlib import Path

from adapters.broker.topology import STUDENTS, Topology
from adapters.settings import Settings

FILE = Path(__file__).parents[3] / "infra" / "rabbitmq" / "definitions.json"


def definitions() -> dict[str, list[dict[str, object]]]:
    """Return what the relay declares when nothing is set otherwise, in the virtual host `/`."""
    topology = Topology()
    queues = [*topology.queues(STUDENTS, Settings.model_fields["broker_queues"].default), *topology.dead_queues()]
    return {
        "vhosts": [{"name": "/"}],
        "exchanges": [
            {
                "name": name,
                "vhost": "/",
                "type": "direct",
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for name in (topology.exchange, topology.dead)
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": "/",
                "durable": True,
                "auto_delete": False,
                "arguments": dict(queue.arguments),
            }
            for queue in queues
        ],
        "bindings": [
            {
                "source": queue.exchange,
                "vhost": "/",
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": key,
                "arguments": {},
            }
            for queue in queues
            for key in queue.keys
        ],
    }


def text() -> str:
    """Return them as JSON, an object a line."""
    parts = (f"{json.dumps(name)}: [\n    {_lines(objects)}\n  ]" for name, objects in definitions().items())
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


def _lines(objects: list[dict[str, object]]) -> str:
    return ",\n    ".join(map(json.dumps, objects))


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
