"""A maker of users at the stand-in."""

import httpx
import pytest

from tests.adapters.embedded.auth.calls import ADMIN, PASSWORD, Json, Make


@pytest.fixture
def make(http: httpx.AsyncClient) -> Make:
    """Return a function that makes a user, good but for what is changed."""

    async def make_user(**changed: object) -> Json:
        body = {"email": "ada@example.org", "password": PASSWORD, "email_confirm": True, **changed}
        answer = await http.post("/admin/users", headers=ADMIN, json=body)
        assert answer.status_code == 200, answer.text
        user: Json = answer.json()
        return user

    return make_user
