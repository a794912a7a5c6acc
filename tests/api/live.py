"""Live streams in tests: API processes that come and go on one port, and readers who remember where they were."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from adapters.embedded.loopback import free_port
from adapters.settings import Settings
from adapters.wiring import Backend
from api.app import create_app
from api.live import PACE, Pace
from api.server import build_server

from .people import Person

Report = dict[str, Any]
TLS = ssl.create_default_context()
"""Never used, but a client makes one if it is given none, and that takes its time."""


async def record(client: httpx.AsyncClient, student: Person, report: Report) -> int:
    """Record practice of a student and return its position."""
    answer = await client.post("/progress", json={**report, "student_id": str(student.id)}, headers=student.headers)
    assert answer.status_code == 201, answer.text
    return int(answer.headers["event-position"])


class Process:
    """An API process that can be stopped and started again."""

    def __init__(self, settings: Settings, pace: Pace = PACE) -> None:
        self.settings = settings.model_copy(update={"port": free_port()})
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self._pace = pace
        self._running = AsyncExitStack()

    async def start(self) -> None:
        self.registry = CollectorRegistry()
        self.app: FastAPI = create_app(self.settings, registry=self.registry, pace=self._pace)
        await self._running.enter_async_context(self.app.router.lifespan_context(self.app))
        self.server = build_server(self.app, self.settings)
        self.server.config.lifespan = "off"
        self._serving = asyncio.create_task(self.server._serve())
        while not self.server.started:  # noqa: ASYNC110  uvicorn tells it in no other way
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.server.should_exit = True
        await self._serving
        await self._running.aclose()

    @property
    def backend(self) -> Backend:
        backend: Backend = self.app.state.backend
        return backend

    def measured(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"afterschool_live_{name}", labels) or 0


@asynccontextmanager
async def process(settings: Settings, pace: Pace = PACE) -> AsyncIterator[Process]:
    running = Process(settings, pace)
    await running.start()
    try:
        yield running
    finally:
        await running.stop()


@dataclass
class Told:
    """One event as it came over the wire; comments alone have no type."""

    type: str = ""
    id: str = ""
    retry: str = ""
    data: Any = None
    comment: str = ""


@dataclass
class Reader:
    """Someone who follows a student, and comes back with the id that came last."""

    url: str
    person: Person
    student: Person
    headers: dict[str, str] = field(default_factory=dict)
    last_id: str | None = None
    breaks_after: Callable[[], int] | None = None
    """Draws after how many bytes a connection breaks."""
    told: list[Told] = field(default_factory=list)
    connections: int = 0

    @property
    def positions(self) -> list[int]:
        """Positions of the log's events that came, in the order in which they came."""
        return [told.data["position"] for told in self.told if told.type not in {"", "start", "end"}]

    @asynccontextmanager
    async def connect(self, query: str = "") -> AsyncIterator[AsyncIterator[Told]]:
        """Open the stream and yield what is told on it."""
        headers = {**self.person.headers, **self.headers}
        if self.last_id is not None:
            headers["last-event-id"] = self.last_id
        address = f"{self.url}/live/{self.student.id}{query}"
        async with (
            httpx.AsyncClient(timeout=30, verify=TLS) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            self.answer = answer
            yield self._listen(answer)

    async def read_on(self) -> None:
        """Read for ever, over any number of connections."""
        while True:
            try:
                async with self.connect() as events:
                    async for _ in events:
                        pass
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # nobody is there to be asked

    async def _listen(self, answer: httpx.Response) -> AsyncIterator[Told]:
        told = Told()
        self.connections += 1
        left = self.breaks_after() if self.breaks_after else 2**62
        async for line in answer.aiter_lines():
            left -= len(line) + 1
            if left < 0:
                return
            if not line:
                if told.id:
                    self.last_id = told.id
                self.told.append(told)
                yield told
                told = Told()
                continue
            name, _, value = line.partition(": ")
            match name:
                case "event":
                    told.type = value
                case "id":
                    told.id = value
                case "retry":
                    told.retry = value
                case "data":
                    assert told.data is None, "one line of data"
                    told.data = json.loads(value)
                case "":
                    told.comment = value
                case _:
                    raise AssertionError(line)
