"""Talks: what the people of a family say to the API."""

from typing import Any

import httpx

from domain.consent import POLICY

from .people import Person

TERMS = {"policy_version": POLICY, "scopes": ["learning", "research"], "country": "IT"}


class Talks:
    """People talking to the API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def code(self, by: Person, child: Person, key: str | None = None) -> httpx.Response:
        headers = by.headers | ({"idempotency-key": key} if key else {})
        return await self._client.post(f"/users/{child.id}/pairing-codes", headers=headers)

    async def link(self, by: Person, code: str, key: str | None = None) -> httpx.Response:
        headers = by.headers | ({"idempotency-key": key} if key else {})
        return await self._client.post("/guardianships", json={"code": code}, headers=headers)

    async def pair(self, parent: Person, child: Person, by: Person | None = None) -> dict[str, Any]:
        """Make a code and use it."""
        made = await self.code(by or child, child)
        assert made.status_code == 201, made.text
        linked = await self.link(parent, made.json()["code"])
        assert linked.status_code == 201, linked.text
        return dict(linked.json())

    async def unlink(self, by: Person, number: str, key: str | None = None) -> int:
        headers = by.headers | ({"idempotency-key": key} if key else {})
        return (await self._client.delete(f"/guardianships/{number}", headers=headers)).status_code

    async def links(self, of: Person) -> list[dict[str, Any]]:
        return list((await self._client.get("/guardianships", headers=of.headers)).json()["items"])

    async def consent(self, by: Person, child: Person, **terms: object) -> httpx.Response:
        return await self._client.post(f"/users/{child.id}/consents", json=TERMS | terms, headers=by.headers)

    async def consents(self, by: Person, child: Person) -> httpx.Response:
        return await self._client.get(f"/users/{child.id}/consents", headers=by.headers)

    async def withdraw(self, by: Person, child: Person, number: str) -> int:
        return (await self._client.delete(f"/users/{child.id}/consents/{number}", headers=by.headers)).status_code

    async def sees(self, viewer: Person, child: Person) -> bool:
        return (await self._client.get(f"/progress/{child.id}", headers=viewer.headers)).status_code == 200

    async def practise(self, child: Person, key: str | None = None) -> httpx.Response:
        headers = child.headers | ({"idempotency-key": key} if key else {})
        report = {"subject": "math", "topic": "fractions", "score": 87.5, "time_spent": 240, "completed": True}
        return await self._client.post("/progress", json=report | {"student_id": str(child.id)}, headers=headers)
