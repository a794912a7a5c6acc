"""Registrations: who holds an e-mail while it is being registered, so that a crash leaves neither half nor blocks.

A claim stands in its table until the registration is complete or undone. One that nobody settled within a minute is
abandoned: if its user's stream has begun, the registration was complete; else its account is removed.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from adapters.emails import email_hmac
from commands.ports import Accounts
from domain.errors import RegistrationInProgress, Unavailable
from eventstore.codec import stream_of
from eventstore.connections import LOST

TRIES = 3
"""How often a claim is tried again after an abandoned one was finished."""


class PostgresRegistrations:
    """The port `commands.ports.Registrations` on the table `registrations`. The pool acts as `afterschool_app`."""

    def __init__(self, pool: asyncpg.Pool, key: bytes, accounts: Accounts) -> None:
        """Take the key of the e-mails' HMAC, and where the accounts of abandoned claims are removed."""
        self._pool = pool
        self._key = key
        self._accounts = accounts

    async def claim(self, email: str, command_id: UUID, user_id: UUID) -> UUID:
        """Reserve an e-mail for one command and return the user id to use; a repeat gets the first one.

        Raises `RegistrationInProgress` while another command holds it, and `IdentityUnavailable` if an abandoned
        claim's account cannot be removed now.
        """
        address = email_hmac(self._key, email)
        async with _postgres():
            for _ in range(TRIES):
                if (held := await self._hold(address, user_id, command_id)) is not None:
                    return held
                if not await self._finish_one(address):
                    break
        raise RegistrationInProgress

    async def settle(self, command_id: UUID, user_id: UUID) -> None:
        """Forget this command's claim, and nobody else's: the registration is complete or undone."""
        async with _postgres():
            await self._pool.execute(_SETTLE, user_id, command_id)

    async def sweep(self) -> int:
        """Finish all abandoned claims and return how many there were; raises `IdentityUnavailable`."""
        count = 0
        async with _postgres():
            while await self._finish_one(None):
                count += 1
        return count

    async def _hold(self, address: bytes, user_id: UUID, command_id: UUID) -> UUID | None:
        """Claim in one statement; None if another command holds the e-mail, or another e-mail the user id."""
        try:
            held: UUID | None = await self._pool.fetchval(_CLAIM, address, user_id, command_id)
        except asyncpg.UniqueViolationError:
            return None
        return held

    async def _finish_one(self, address: bytes | None) -> bool:
        """Finish one abandoned claim, of that e-mail or of any; False if there is none.

        Whoever finishes holds the claim under an id of their own: a second one finds it young, and a crash abandons
        it again.
        """
        finisher = uuid4()
        user_id: UUID | None = await self._pool.fetchval(_TAKE_ABANDONED, finisher, address)
        if user_id is None:
            return False
        if not await self._pool.fetchval(_IS_REGISTERED, stream_of("user", user_id)):
            await self._accounts.delete(user_id)
        await self._pool.execute(_SETTLE, user_id, finisher)
        return True


_CLAIM = """
insert into registrations as held (email_hmac, user_id, command_id, claimed_at)
values ($1, $2, $3, clock_timestamp())
on conflict (email_hmac) do update set claimed_at = clock_timestamp() where held.command_id = excluded.command_id
returning user_id
"""

_TAKE_ABANDONED = """
update registrations set command_id = $1, claimed_at = clock_timestamp()
where email_hmac = (
    select email_hmac from registrations
    where claimed_at < clock_timestamp() - interval '60 seconds' and ($2::bytea is null or email_hmac = $2)
    order by claimed_at limit 1 for update skip locked
)
returning user_id
"""

_SETTLE = "delete from registrations where user_id = $1 and command_id = $2"

_IS_REGISTERED = "select exists (select from events where stream = $1)"


@asynccontextmanager
async def _postgres() -> AsyncIterator[None]:
    try:
        yield
    except LOST:
        raise Unavailable from None
