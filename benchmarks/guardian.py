"""Guardian: a parent of a replay, who registers pupils and consents that their practice is recorded."""

import asyncio
import hashlib
import json
from typing import Any

from benchmarks.client import Client
from domain.consent import POLICY

CONSENT = {"policy_version": POLICY, "scopes": ["learning"], "country": "IT"}


def password_of(run: str, who: str) -> str:
    """Return the password of someone invented, the same whenever their run goes on."""
    return hashlib.sha256(f"{run} {who}".encode()).hexdigest()


class Guardian:
    """Someone invented, with some of the pupils as children; a repeat of anything takes no effect."""

    def __init__(self, url: str, run: str, number: int) -> None:
        self.url = url
        self.run = run
        self._client = Client(url)
        self._who = f"guardian-{number}"
        self._token = ""
        self._turn = asyncio.Lock()

    async def register(self, child: dict[str, Any], key: str) -> str:
        """Register a child and consent in the same call, one child at a time; return the child's id."""
        async with self._turn:
            if not self._token:
                await self._enrol()
            body = child | {"role": "student", "consent": CONSENT}
            user = await self._client.ask("POST", "/users", body=body, token=self._token, key=key)
            self._client.close()
        return str(json.loads(user.body)["id"])

    async def _enrol(self) -> None:
        account = {
            "email": f"{self._who}@{self.run}.example.org",
            "password": password_of(self.run, self._who),
        }
        profile = {"name": self._who.capitalize(), "learning_preferences": []}
        body = account | {"role": "parent", "profile": profile}
        await self._client.ask("POST", "/users", body=body, key=f"{self.run}-{self._who}")
        signed_in = await self._client.ask("POST", "/auth/login", body=account)
        self._token = json.loads(signed_in.body)["access_token"]
