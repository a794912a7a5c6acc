"""Demo accounts: a parent, their child and a student still without a guardian, made through the API as anyone's are."""

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx

from adapters.embedded.auth.settings import is_loopback
from adapters.embedded.durable import write_secret
from domain.consent import POLICY

TIMEOUT = 30.0
"""Seconds that the API has for one call."""
CONSENT = {"policy_version": POLICY, "scopes": ["learning", "personalisation"], "country": "IT"}
"""What the demo parent consents to for the demo child."""
WAITING = """
The student registered alone, so nothing is recorded of them until a guardian consents: the student makes a code
(POST /users/<id>/pairing-codes), the parent enters it (POST /guardianships {"code": …}) and consents
(POST /users/<id>/consents). README.md and requests.http show these calls."""


class DemoRefused(Exception):
    """The demo accounts cannot be made or used; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount:
    """Someone to sign in as; `id` is empty until the API has made the account."""

    who: Literal["parent", "child", "student"]
    """The child was registered by the parent, who consented; the student by themself, and waits for a guardian."""
    role: Literal["parent", "student"]
    id: str
    email: str
    password: str
    key: str
    """Idempotency-Key of the registration, so that one whose answer was lost is not made twice."""

    @property
    def registration(self) -> dict[str, object]:
        """The body that registers this account."""
        profile = {
            "name": f"Demo {self.who.capitalize()}",
            "grade_level": None if self.role == "parent" else 4,
            "learning_preferences": [] if self.role == "parent" else ["pictures"],
        }
        account = {"email": self.email, "password": self.password, "role": self.role}
        return account | {"profile": profile} | ({"consent": CONSENT} if self.who == "child" else {})


def demo_accounts_file(directory: Path) -> Path:
    """Return where a data directory keeps its demo accounts, passwords included, for its owner's eyes only."""
    return directory / "demo-accounts.json"


async def ensure_demo_accounts(url: str, directory: Path) -> list[DemoAccount]:
    """Return the demo accounts of this data directory; those that do not exist yet are made through the API at `url`.

    Passwords are drawn and kept before anything is asked of the API, so that stopping anywhere and calling again makes
    every account once. Raises `DemoRefused`, always for an API that others can reach, and `httpx.TransportError`.
    """
    file = demo_accounts_file(directory)
    if file.exists():
        accounts = [DemoAccount(**account) for account in json.loads(file.read_text(encoding="utf-8"))]
    else:
        accounts = [_draw("parent", "parent"), _draw("child", "student"), _draw("student", "student")]
    if all(account.id for account in accounts):
        return accounts
    async with _api(url) as api:
        _keep(file, accounts)
        made = await _make(api, accounts)
    _keep(file, made)
    return made


async def sign_in(url: str, accounts: Sequence[DemoAccount]) -> list[str]:
    """Return a fresh access token of each account; raises as `ensure_demo_accounts` does."""
    async with _api(url) as api:
        return [await _sign_in(api, account) for account in accounts]


def in_words(accounts: Sequence[DemoAccount]) -> str:
    """Return the accounts as lines for a terminal, and what the student waits for."""
    head = ("", "e-mail", "password", "id")
    rows = [head, *((account.who, account.email, account.password, account.id) for account in accounts)]
    lines = [f"{who:<9}{email:<26}{password:<26}{number}" for who, email, password, number in rows]
    return "\n".join([*lines, WAITING])


def _api(url: str) -> httpx.AsyncClient:
    if not is_loopback(urlsplit(url).hostname or ""):
        raise DemoRefused(f"Demo accounts are for one machine only, and {url} can be reached by others.")
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False)


def _draw(who: Literal["parent", "child", "student"], role: Literal["parent", "student"]) -> DemoAccount:
    password = "-".join(secrets.token_hex(2) for _ in range(5))
    return DemoAccount(
        who=who, role=role, id="", email=f"demo.{who}@example.org", password=password, key=secrets.token_hex(16)
    )


def _keep(file: Path, accounts: Sequence[DemoAccount]) -> None:
    write_secret(file, json.dumps([asdict(account) for account in accounts], indent=2))


async def _make(api: httpx.AsyncClient, accounts: Sequence[DemoAccount]) -> list[DemoAccount]:
    made: list[DemoAccount] = []
    parent_token = ""
    for account in accounts:
        by_parent = {"authorization": f"Bearer {parent_token}"} if account.who == "child" else {}
        answer = await api.post(
            "/users", json=account.registration, headers={"idempotency-key": account.key} | by_parent
        )
        made.append(replace(account, id=str(_read(answer, f"register {account.email}")["id"])))
        if account.who == "parent":
            parent_token = await _sign_in(api, account)
    return made


async def _sign_in(api: httpx.AsyncClient, account: DemoAccount) -> str:
    answer = await api.post("/auth/login", json={"email": account.email, "password": account.password})
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise DemoRefused(f"{account.email} is no more; delete demo-accounts.json, and new demo accounts are made.")
    return str(_read(answer, f"sign in {account.email}")["access_token"])


def _read(answer: httpx.Response, doing: str) -> dict[str, object]:
    """Return what the API answered, or raise `DemoRefused` with its reason."""
    if answer.is_success:
        content: dict[str, object] = answer.json()
        return content
    try:
        reason = str(answer.json()["detail"])
    except (ValueError, LookupError, TypeError):
        reason = f"it answered {answer.status_code}"
    raise DemoRefused(f"The API did not {doing}: {reason}")
