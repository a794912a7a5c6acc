"""Signing in: the provider's tokens and our sessions kept in step, from the first token to the last."""

import asyncio
from contextlib import suppress
from hashlib import sha256

from adapters.identity import SupabaseIdentity, Tokens
from adapters.revocations import Revocations
from adapters.sessions import ENDED, LOGOUT, LOGOUT_ALL, REUSED, Session, Sessions
from adapters.tokens import Claims, TokenVerifier
from domain.errors import CredentialsWrong, IdentityUnavailable, TokenRefused


class SigningIn:
    """Sign in, refresh, sign out.

    A refresh token is good for one exchange. Who shows it again within ten seconds has lost the answer and gets the
    token that the provider has given out already; whoever shows it later has a copy, and nobody knows which of the two
    is the thief: the session is over for both.
    """

    def __init__(
        self, identity: SupabaseIdentity, verifier: TokenVerifier, sessions: Sessions, revocations: Revocations
    ) -> None:
        self._identity = identity
        self._verifier = verifier
        self._sessions = sessions
        self._revocations = revocations
        self._refreshing: dict[bytes, asyncio.Task[Tokens]] = {}

    async def sign_in(self, email: str, password: str) -> Tokens:
        """Open a session; raises `CredentialsWrong` alike for a wrong password and an unknown e-mail."""
        tokens = await self._identity.login(email, password)
        await self._sessions.begin(await self._read(tokens), tokens.refresh_token)
        return tokens

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token for the next pair; raises `CredentialsWrong`. At once asked twice, it is done once.

        Who stops waiting does not stop the exchange.
        """
        key = sha256(refresh_token.encode()).digest()
        if key not in self._refreshing:
            task = self._refreshing[key] = asyncio.create_task(self._refresh(refresh_token))
            task.add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(self._refreshing[key])

    async def sign_out(self, session: Session, access_token: str, *, everywhere: bool) -> None:
        """End this session, or all of the user's, with us and then, if it can be reached, at the provider."""
        if everywhere:
            self._revocations.add(await self._sessions.revoke_all(session.user_id, LOGOUT_ALL))
        else:
            self._revocations.add(await self._sessions.revoke(session.session_id, LOGOUT))
        with suppress(IdentityUnavailable):
            await self._identity.logout(access_token, everywhere=everywhere)

    def _forget(self, key: bytes, done: asyncio.Task[Tokens]) -> None:
        del self._refreshing[key]
        if not done.cancelled():
            done.exception()  # nobody may be left to look at it

    async def _refresh(self, refresh_token: str) -> Tokens:
        known = await self._sessions.find(refresh_token)
        if known and (known.is_reused or known.is_revoked):
            self._revocations.add(await self._sessions.revoke(known.session_id, REUSED))
            await self._end_family(refresh_token)
            raise CredentialsWrong
        try:
            tokens = await self._identity.refresh(refresh_token)
        except CredentialsWrong:
            if known:
                self._revocations.add(await self._sessions.revoke(known.session_id, ENDED))
            raise
        claims = await self._read(tokens)
        try:
            await self._sessions.rotate(claims, refresh_token, tokens.refresh_token)
        except TokenRefused:
            with suppress(IdentityUnavailable):
                await self._identity.logout(tokens.access_token, everywhere=False)
            raise CredentialsWrong from None
        return tokens

    async def _end_family(self, refresh_token: str) -> None:
        """End the session at the provider, which does so itself unless it would still take the token."""
        with suppress(IdentityUnavailable, CredentialsWrong):
            tokens = await self._identity.refresh(refresh_token)
            await self._identity.logout(tokens.access_token, everywhere=False)

    async def _read(self, tokens: Tokens) -> Claims:
        """Verify what the provider gave us; if that cannot be done, nobody else could use it either."""
        try:
            return await self._verifier.verify(tokens.access_token)
        except TokenRefused:
            raise IdentityUnavailable from None
