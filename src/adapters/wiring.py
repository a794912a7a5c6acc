"""Wiring: the composition root; what a process is made of, opened in order and closed in reverse."""

import asyncio
import json
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx

from adapters.cache import Cache
from adapters.erasure_ledger import FileLedger
from adapters.erasures import PostgresErasures
from adapters.identity import SupabaseIdentity
from adapters.pairing_codes import PostgresPairingCodes
from adapters.read_ledger import ReadLedger
from adapters.registrations import PostgresRegistrations
from adapters.revocations import Revocations
from adapters.sessions import Sessions
from adapters.settings import Settings, on_this_machine
from adapters.signing_in import SigningIn
from adapters.tokens import TokenVerifier
from commands.finish_erasure import ErasurePorts
from commands.register_user import RegistrationPorts
from eventstore.appender import Appender
from eventstore.connections import APP, KEYS, QUERIES, create_pool
from eventstore.fence import Fence
from eventstore.fingerprints import Fingerprints
from eventstore.keys import KeyStore, MasterKeys
from eventstore.log import Aggregates, EventLog
from eventstore.reader import LogReader
from projections.assessment import GetAssessment
from projections.assessment_results import ListAssessments
from projections.bank import Bank
from projections.export_person import ExportPerson
from projections.get_progress_summary import GetProgressSummary
from projections.user_profile import GetUserProfile

HTTP_TIMEOUT = 10.0
"""Seconds any one call to the identity provider may take."""
CLOSE_SECONDS = 1.0
"""Seconds that connections to Postgres may take to close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What the API calls: the log, the queries of each person, identity, and the cache.

    Log, pool and reader see everybody: they are for commands, which decide, and for what concerns nobody in particular.
    """

    settings: Settings
    pool: asyncpg.Pool
    log: EventLog
    reader: LogReader
    keys: KeyStore
    cache: Cache
    identity: SupabaseIdentity
    verifier: TokenVerifier
    registrations: PostgresRegistrations
    pairing_codes: PostgresPairingCodes
    registration: RegistrationPorts
    erasure: ErasurePorts
    fence: Fence
    sessions: Sessions
    revocations: Revocations
    signing_in: SigningIn
    read_ledger: ReadLedger
    bank: Bank
    email_key: bytes
    """Key of the HMAC that stands for an e-mail wherever it must not be read."""

    def seen_by(self, viewer_id: UUID) -> "Queries":
        """Return the queries, which find only what this person may see."""
        rows = self.fence.seen_by(viewer_id)
        reader = LogReader(self.pool, rows)
        return Queries(
            reader=reader,
            aggregates=Aggregates(reader),
            get_progress_summary=GetProgressSummary(self.pool, reader, self.cache, rows=rows),
            get_user_profile=GetUserProfile(rows, reader, self.keys, self.cache),
            export_person=ExportPerson(reader, rows, self.keys),
            list_assessments=ListAssessments(rows),
            get_assessment=GetAssessment(rows, self.keys, self.bank.contents),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    """What one person may ask; it finds only what they may see."""

    reader: LogReader
    aggregates: Aggregates
    get_progress_summary: GetProgressSummary
    get_user_profile: GetUserProfile
    export_person: ExportPerson
    list_assessments: ListAssessments
    get_assessment: GetAssessment


@asynccontextmanager
async def open_backend(settings: Settings, read_master_keys: Callable[[], str] | None = None) -> AsyncIterator[Backend]:
    """Open everything an API process needs; no machine has to be there yet.

    `read_master_keys` reads the key set anew when a version turns up that this process does not know.
    """
    dsn = settings.database_url.get_secret_value()
    async with AsyncExitStack() as stack:
        pool = await create_pool(dsn, APP, size=10)
        fenced_pool = await create_pool(dsn, QUERIES, size=10)
        key_pool = await create_pool(dsn, KEYS, size=2)
        stack.push_async_callback(_close, pool, fenced_pool, key_pool)
        appender = Appender(dsn, queue_limit=settings.append_queue)
        await appender.start()
        stack.push_async_callback(appender.stop)
        cache = Cache(settings.redis_url.get_secret_value())
        stack.push_async_callback(cache.close)
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=HTTP_TIMEOUT, trust_env=not on_this_machine(settings.supabase_url))
        )
        keys = KeyStore(key_pool, MasterKeys(read_master_keys or settings.master_keys.get_secret_value))
        fingerprint_keys = settings.fingerprint_keys.get_secret_value()
        reader = LogReader(pool)
        log = EventLog(reader, appender, keys, Fingerprints(fingerprint_keys))
        identity = SupabaseIdentity(
            http,
            url=settings.supabase_url,
            publishable_key=settings.supabase_publishable_key.get_secret_value(),
            secret_key=settings.supabase_secret_key.get_secret_value(),
        )
        email_key = _oldest(fingerprint_keys)
        registrations = PostgresRegistrations(pool, email_key, identity)
        verifier = TokenVerifier(
            http,
            jwks_url=f"{settings.supabase_url.rstrip('/')}/auth/v1/.well-known/jwks.json",
            issuer=settings.issuer,
            audience=settings.jwt_audience,
        )
        sessions, revocations = Sessions(pool), Revocations(pool)
        yield Backend(
            settings=settings,
            pool=pool,
            log=log,
            reader=reader,
            cache=cache,
            identity=identity,
            verifier=verifier,
            registrations=registrations,
            pairing_codes=PostgresPairingCodes(pool, email_key),
            registration=RegistrationPorts(log=log, accounts=identity, registrations=registrations, keys=keys),
            erasure=ErasurePorts(
                log=log,
                erasures=PostgresErasures(pool),
                ledger=FileLedger(Path(settings.erasure_ledger)) if settings.erasure_ledger else None,
                keys=keys,
                accounts=identity,
                devices=sessions,
                values=cache,
            ),
            fence=Fence(fenced_pool),
            keys=keys,
            sessions=sessions,
            revocations=revocations,
            signing_in=SigningIn(identity, verifier, sessions, revocations),
            read_ledger=ReadLedger(pool),
            bank=Bank(pool),
            email_key=email_key,
        )


async def _close(*pools: asyncpg.Pool) -> None:
    """Let queries under way end, all in the same second; drop what a silent server never answers."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await asyncio.gather(*(pool.close() for pool in pools))


def _oldest(key_set: str) -> bytes:
    """Return the key that outlives rotations longest, so that an e-mail keeps its HMAC."""
    keys: dict[str, str] = json.loads(key_set)
    return b64decode(keys[min(keys, key=int)])
