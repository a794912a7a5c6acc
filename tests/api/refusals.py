"""Refusals: what a refused request looks like, and the word that must not come back from it."""

import httpx

CANARY = "canary7f3a"
JSON = {"content-type": "application/json"}
ROUTES = ("/progress", "/users", "/auth/login", "/auth/refresh")
"""Routes that take a body."""

OWN = {"date", "ratelimit"}
"""Headers that are another answer's own: when it was given, and how many may follow."""


def essence(answer: httpx.Response) -> tuple[int, dict[str, str], dict[str, object]]:
    """Return all that a refusal says but which one it is: equal for what must be refused alike."""
    body = {name: value for name, value in answer.json().items() if name not in {"instance", "trace_id"}}
    return answer.status_code, {name: value for name, value in answer.headers.items() if name not in OWN}, body


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert CANARY not in answer.text + str(answer.headers)
