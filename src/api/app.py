"""App: the HTTP API put together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from importlib.metadata import version

import asyncpg
import structlog
from fastapi import FastAPI
from prometheus_client import REGISTRY, CollectorRegistry
from starlette.exceptions import HTTPException

from adapters.registrations import PostgresRegistrations
from adapters.settings import Settings
from adapters.stopping import end
from adapters.wiring import Backend, open_backend
from api.cors import Cors
from api.docs import add_docs
from api.envelope import Envelope
from api.errors import on_error, on_http_exception, on_lost
from api.health import Readiness
from api.limits import RateLimits
from api.live import PACE, Pace, Streams
from api.metrics import RequestMetrics
from api.openapi import describe
from api.readers import ReaderMetrics
from api.routes import (
    accesses,
    assessments,
    auth,
    consents,
    erasures,
    exports,
    guardianships,
    health,
    live,
    problems,
    progress,
    users,
)
from commands.finish_erasure import reapply_ledger
from domain.errors import AfterschoolError, Unavailable
from eventstore.connections import APP, LOST
from eventstore.reader import Wakeups
from projections.cache import CacheAway

ROUTES = (
    *progress.ROUTES,
    *live.ROUTES,
    *users.ROUTES,
    *guardianships.ROUTES,
    *consents.ROUTES,
    *exports.ROUTES,
    *assessments.ROUTES,
    *accesses.ROUTES,
    *erasures.ROUTES,
    *auth.ROUTES,
    *health.ROUTES,
    *problems.ROUTES,
)

PAUSE = 1.0
"""Seconds after which what could not be done at the start is tried again."""
SWEEP_SECONDS = 60
"""How often an API process finishes registrations that a crash left half done."""

_BUSY = (
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
"""What a Postgres says that is there but can't serve us now."""

logger = structlog.get_logger()

OpenBackend = Callable[[Settings], AbstractAsyncContextManager[Backend]]


def create_app(
    settings: Settings,
    open_backend: OpenBackend = open_backend,
    registry: CollectorRegistry = REGISTRY,
    pace: Pace = PACE,
) -> FastAPI:
    """Return the application; its backend is opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_backend(settings) as backend:
            app.state.backend = backend
            app.state.serves = backend.erasure.ledger is None
            app.state.readiness = readiness_of(app, backend)
            wakeups = Wakeups(settings.database_url.get_secret_value(), APP)
            tasks = {
                asyncio.create_task(sweep(backend.registrations), name="sweeping registrations"),
                asyncio.create_task(keep_erased(app, backend), name="reading the erasure ledger"),
                asyncio.create_task(backend.revocations.keep_looking(), name="learning of revocations"),
                asyncio.create_task(backend.bank.keep_looking(), name="refreshing the bank"),
                asyncio.create_task(streams.follow_log(backend.pool, wakeups), name="following the log"),
                asyncio.create_task(
                    readers.keep_looking(backend.pool, with_relay=settings.rabbitmq_url is not None), name="readers"
                ),
            }
            backend.read_ledger.start()
            yield
            await asyncio.gather(backend.read_ledger.stop(), end(*tasks))

    readers = ReaderMetrics(registry)
    streams = Streams(
        most=settings.live_streams,
        most_of_one=settings.live_streams_of_account,
        pace=pace,
        registry=registry,
    )
    app = FastAPI(
        title="Afterschool",
        version=version("afterschool"),
        summary="After-school learning, from kindergarten to grade 8.",
        lifespan=lifespan,
        openapi_url="/openapi.json" if settings.docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own telemetry reads the environment at every request, and its spans may quote what was sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    app.state.streams = streams
    app.state.rate_limits = RateLimits(settings, registry)
    app.router.routes[:0] = ROUTES  # before FastAPI's own, because the first match wins and these are the many
    app.add_exception_handler(AfterschoolError, on_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    for lost in (*LOST, *_BUSY):
        app.add_exception_handler(lost, on_lost)
    if settings.cors_origins:
        app.add_middleware(Cors, settings.cors_origins)
    app.add_middleware(Envelope, metrics=RequestMetrics(registry))
    describe(app)
    if settings.docs:
        add_docs(app)
    return app


async def sweep(registrations: PostgresRegistrations) -> None:
    """Finish abandoned registrations again and again; what is away now is there the next time."""
    while True:
        with suppress(Unavailable, asyncpg.PostgresError):
            await registrations.sweep()
        await asyncio.sleep(SWEEP_SECONDS)


async def keep_erased(app: FastAPI, backend: Backend) -> None:
    """Erase again whom a restored backup has brought back; until that is done nobody is served."""
    while True:
        try:
            if again := await reapply_ledger(backend.erasure):
                logger.warning("erased_again", people=again)
        except (*LOST, asyncpg.PostgresError, Unavailable, CacheAway) as error:
            logger.warning("erasure_ledger_waits", error=type(error).__name__)
            await asyncio.sleep(PAUSE)
        else:
            app.state.serves = True
            return


def readiness_of(app: FastAPI, backend: Backend) -> Readiness:
    """Return who looks after the machines behind the application."""

    async def postgres() -> None:
        await backend.pool.fetchval("select 1")

    async def erasures() -> None:
        if not app.state.serves:
            raise Unavailable

    return Readiness(
        needed={"postgres": postgres, "erasures": erasures, "keys": backend.keys.check},
        optional={"identity": backend.identity.ping, "redis": backend.cache.ping},
    )
