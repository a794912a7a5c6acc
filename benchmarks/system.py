"""System: the parts of one machine as `afterschool up` runs them, on a fresh database, each a process of its own."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from secrets import token_urlsafe
from tempfile import mkdtemp
from typing import NamedTuple
from uuid import uuid4

from adapters.embedded.keys import ensure_keys
from adapters.embedded.loopback import free_port
from adapters.embedded.program import Program
from adapters.settings import PREFIX
from benchmarks.guardian import CONSENT
from benchmarks.load import Answer, connect, request
from benchmarks.machine import Machine
from benchmarks.server import SUMMARY


class Student(NamedTuple):
    """A registered student who is signed in."""

    id: str
    token: str


class System:
    """The auth stand-in, the API with routes that do nothing, a bare application, and perhaps projector and relay."""

    def __init__(self, directory: Path, environment: dict[str, str], port: int, profile: Path | None) -> None:
        self.port = port
        self.bare_port = free_port()
        self.summary = directory / "summary.json"
        self._directory = directory
        self._environment = environment | {SUMMARY: str(self.summary)}
        serve = ["benchmarks.server", *(["--profile", str(profile)] if profile else [])]
        auth_port = int(environment[f"{PREFIX}SUPABASE_URL"].rsplit(":", 1)[1])
        self.auth = self._program("auth", ["adapters.embedded.auth"], auth_port, "/auth/v1/.well-known/jwks.json")
        self.api = self._program("api", serve, port, "/health/ready")
        self.bare = self._program("bare", ["benchmarks.server", "--bare", str(self.bare_port)])
        self.projector = self._program("projector", ["cli.main", "project"])
        self.relay = self._program("relay", ["cli.main", "relay"])

    async def register(self, how_many: int) -> list[Student]:
        """Register students over HTTP by a parent who consents, all invented, and sign them in, one after the other."""
        _, parent = await self._register("parent", grade_level=None)
        return [
            Student(*await self._register("student", grade_level=3, token=parent, consent=CONSENT))
            for _ in range(how_many)
        ]

    async def read_summary(self, student: Student, min_position: int) -> bytes:
        """Return a student's summary once it holds a position."""
        path = f"/progress/{student.id}?min_position={min_position}"
        return (await self._ask("GET", path, token=student.token)).body

    async def _register(
        self, role: str, *, grade_level: int | None, token: str = "", **more: object
    ) -> tuple[str, str]:
        """Register someone and sign them in; return their id and token."""
        account = {"email": f"{uuid4()}@example.org", "password": token_urlsafe()}
        profile: dict[str, object] = {"name": "Someone", "grade_level": grade_level, "learning_preferences": []}
        user = await self._ask("POST", "/users", token, **account, role=role, profile=profile, **more)
        tokens = await self._ask("POST", "/auth/login", **account)
        return json.loads(user.body)["id"], json.loads(tokens.body)["access_token"]

    async def _ask(self, method: str, path: str, token: str = "", **body: object) -> Answer:
        connection = await connect(self.port)
        answer = await connection.ask(
            request(method, path, body=json.dumps(body).encode() if body else b"", token=token)
        )
        connection.close()
        assert answer.status in {200, 201}, f"{method} {path.partition('?')[0]} was answered {answer.status}"
        return answer

    def _program(self, name: str, module: list[str], port: int = 0, path: str = "") -> Program:
        return Program(
            name,
            [sys.executable, "-m", *module],
            lock=self._directory / f"{name}.pid",
            log=self._directory / f"{name}.log",
            environment=self._environment,
            port=port,
            path=path,
        )


@asynccontextmanager
async def running_system(
    machine: Machine, *, projector: bool, broker: str = "", bare: bool = False, profile: Path | None = None
) -> AsyncIterator[System]:
    """Start the parts and stop them again; with the address of a broker, the relay too."""
    dsn = await machine.fresh_database()
    directory = Path(mkdtemp(dir=machine.directory))
    port = free_port()
    ours = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATABASE_URL": dsn,
        "REDIS_URL": machine.redis_url,
        **dict.fromkeys(("RATE_LIMIT", "RATE_LIMIT_BURST", "LOGIN_LIMIT"), "60000000"),
        "SUPABASE_URL": f"http://127.0.0.1:{free_port()}",
        **({"RABBITMQ_URL": broker} if broker else {}),
        **{f"{name.upper()}_FILE": str(file) for name, file in ensure_keys(directory, data_exists=False).items()},
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    system = System(directory, inherited | {f"{PREFIX}{name}": value for name, value in ours.items()}, port, profile)
    async with AsyncExitStack() as stack:
        for part in (
            system.auth,
            system.api,
            *([system.projector] if projector else []),
            *([system.relay] if broker else []),
            *([system.bare] if bare else []),
        ):
            stack.push_async_callback(part.stop)
            await part.start()
        yield system
    await machine.drop_database(dsn)
