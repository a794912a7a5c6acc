"""Refusals: what a refused request looks like, and the word that must not come back from it."""

import httpx

CANARY = "canary7f3a"
JSON = {"content-type": "application/json"}
ROUTES = ("/progress", "/users", "/auth/login", "/auth/refresh")
"""Routes that take a body."""


def assert_refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert CANARY not in answer.text + str(answer.headers)
