"""Second: one more relay and one more projector, kept alive, which reach the broker by links that may fail."""

import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from adapters.embedded.loopback import free_port
from adapters.embedded.program import Program
from adapters.embedded.supervisor import Supervisor
from tests.api.conftest import UNLIMITED
from tests.faults.proxy import Proxy

RELAY, PROJECTOR = "second-relay", "second-projector"


class Second:
    """What stands by beside the machine's own relay and projector."""

    def __init__(self, directory: Path, environment: dict[str, str], said: list[str]) -> None:
        self._directory = directory
        self._environment = environment
        self._said = said
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        port = urlsplit(self._environment["AFTERSCHOOL_RABBITMQ_URL"]).port or 0
        self.relay_link = await self._running.enter_async_context(Proxy("127.0.0.1", port))
        self.projector_link = await self._running.enter_async_context(Proxy("127.0.0.1", port))
        programs = [
            self._program(RELAY, "relay", self.relay_link),
            self._program(PROJECTOR, "project", self.projector_link),
        ]
        supervisor = Supervisor([(2.0, programs)], lambda line: self._said.append(f"{line}\n"))
        self._running.push_async_callback(supervisor.stop)
        await supervisor.start(*programs)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def come_back(self) -> None:
        """Let both links pass everything on again."""
        self.relay_link.come_back()
        self.projector_link.come_back()

    def _program(self, name: str, command: str, link: Proxy) -> Program:
        broker = urlsplit(self._environment["AFTERSCHOOL_RABBITMQ_URL"])
        address = broker._replace(netloc=broker.netloc.replace(f":{broker.port}", f":{link.port}"))
        own = {"AFTERSCHOOL_RABBITMQ_URL": address.geturl(), "AFTERSCHOOL_METRICS_PORT": str(free_port())}
        return Program(
            name,
            [sys.executable, "-P", "-m", "cli.main", command],
            lock=self._directory / "run" / name,
            log=self._directory / "logs" / f"{name}.log",
            environment=ours_apart() | self._environment | own,
        )


def ours_apart() -> dict[str, str]:
    """Return the environment without any setting of ours but limits that let one machine send what a thousand do."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AFTERSCHOOL_")}
    return others | {f"AFTERSCHOOL_{name.upper()}": str(value) for name, value in UNLIMITED.items()}
