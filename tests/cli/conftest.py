"""The command line on real machines: what `afterschool …` prints, and the exit code it ends with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner, Result

from adapters.embedded.auth.app import open_stand_in
from adapters.embedded.auth.settings import StandInSettings
from adapters.embedded.loopback import free_port
from adapters.settings import load_settings
from api.app import create_app
from cli.command_line import command_line
from commands.ports import History
from commands.record_progress import RecordProgress, record_progress
from domain.profile import Profile
from domain.user import User
from tests.api.conftest import running
from tests.domain.people import allow_learning
from tests.eventstore.conftest import Store, a_cause, close_store, key_set, open_store

NAME, EMAIL = "Ada Lovelace", "ada@family.example"
FINGERPRINTS = key_set(1)


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where an operator types: a command line in an environment."""

    environment: dict[str, str]

    async def __call__(self, *arguments: str, **environment: str) -> Result:
        """Run a command to its end, in a thread of its own, for it brings its own event loop."""
        return await asyncio.to_thread(
            CliRunner().invoke,
            command_line(arguments),
            list(arguments),
            env=self.environment | environment,
            catch_exceptions=False,
        )


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys" / "master_keys"
    file.parent.mkdir(mode=0o700)
    file.write_text(key_set(1), encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.fixture
def terminal(database: str, redis_url: str, key_file: Path, tmp_path: Path) -> Terminal:
    """Return the command line of a system whose auth service, unless a test starts it, is away."""
    return Terminal(
        {
            "AFTERSCHOOL_DATABASE_URL": database,
            "AFTERSCHOOL_REDIS_URL": redis_url,
            "AFTERSCHOOL_SUPABASE_URL": f"http://127.0.0.1:{free_port()}",
            "AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY": "sb_publishable_test",
            "AFTERSCHOOL_SUPABASE_SECRET_KEY": "sb_secret_test",
            "AFTERSCHOOL_MASTER_KEYS_FILE": str(key_file),
            "AFTERSCHOOL_FINGERPRINT_KEYS": FINGERPRINTS,
            "AFTERSCHOOL_PORT": str(free_port()),
            "AFTERSCHOOL_DATA_DIR": str(tmp_path),
        }
    )


@pytest.fixture
async def auth(terminal: Terminal, tmp_path: Path) -> AsyncIterator[str]:
    """Start the auth service where the settings say it is."""
    settings = StandInSettings(
        database_url=terminal.environment["AFTERSCHOOL_DATABASE_URL"],
        url=terminal.environment["AFTERSCHOOL_SUPABASE_URL"],
        publishable_key=terminal.environment["AFTERSCHOOL_SUPABASE_PUBLISHABLE_KEY"],
        secret_key=terminal.environment["AFTERSCHOOL_SUPABASE_SECRET_KEY"],
        key_file=tmp_path / "auth.json",
    )
    async with open_stand_in(settings) as stand_in, running(stand_in.app, settings.port):
        yield settings.url


@pytest.fixture
async def api(terminal: Terminal, auth: str) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API where the settings say it is."""
    del auth
    settings = load_settings(terminal.environment)
    app = create_app(settings, registry=CollectorRegistry())
    async with (
        app.router.lifespan_context(app),
        running(app, settings.port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.port}", timeout=30) as client,
    ):
        yield client


@pytest.fixture
async def store(database: str, key_file: Path) -> AsyncIterator[Store]:
    """Open the log that the terminal looks at, with its keys."""
    opened = await open_store(database, key_file.read_text(encoding="utf-8"), FINGERPRINTS)
    yield opened
    await close_store(opened)


async def register(store: Store, *, allowed: bool = True) -> UUID:
    """Append a student whose name and e-mail nothing may print; with a guardian's consent where it is `allowed`."""
    user_id = uuid4()
    await store.keys.create(user_id)

    async def decide(history: History) -> None:
        profile = Profile(name=NAME, grade_level=3, learning_preferences=("pictures",), timezone="Europe/Rome")
        student = User.register(user_id, "student", EMAIL, profile, datetime.now(UTC))
        if allowed:
            allow_learning(student, datetime.now(UTC))
        history.save(student)

    await store.log.execute(a_cause(user_id), decide)
    return user_id


async def practise(store: Store, student: UUID, *topics: str) -> None:
    """Append a report of each of these topics."""
    for topic in topics:
        await record_progress(
            store.log,
            RecordProgress(
                cause=a_cause(student),
                student_id=student,
                subject="math",
                topic=topic,
                score=5000,
                time_spent=60,
                completed=True,
            ),
        )
