"""Roles of staff: given and taken by the operator only, as events in the log."""

from uuid import UUID, uuid4

import pytest

from domain.cause import OPERATOR
from tests.cli.conftest import Terminal, register
from tests.eventstore.conftest import Store
from tests.eventstore.test_log import register as register_in_log


@pytest.fixture
async def adult(store: Store) -> UUID:
    return await register_in_log(store, "parent")


async def test_a_role_is_given_and_taken_back(terminal: Terminal, store: Store, adult: UUID) -> None:
    granted = await terminal("grant-role", str(adult), "analyst")
    revoked = await terminal("grant-role", str(adult), "analyst", "--revoke")

    assert (granted.exit_code, granted.stdout) == (0, "Done; the log holds it at 2.\n")
    assert (revoked.exit_code, revoked.stdout) == (0, "Done; the log holds it at 3.\n")
    _, given, taken = await store.reader.stream(f"user-{adult}")
    assert (given.type, given.actor, given.data) == ("StaffRoleGranted", OPERATOR, '{"role":"analyst"}')
    assert (taken.type, taken.actor) == ("StaffRoleRevoked", OPERATOR)


async def test_what_is_so_already_is_refused(terminal: Terminal, store: Store, adult: UUID) -> None:
    await terminal("grant-role", str(adult), "author")

    again = await terminal("grant-role", str(adult), "author")
    never = await terminal("grant-role", str(adult), "admin", "--revoke")

    assert (again.exit_code, never.exit_code) == (1, 1)
    assert await store.reader.head() == 2


async def test_no_student_and_nobody_unknown_gets_a_role(terminal: Terminal, store: Store) -> None:
    student = await register(store, allowed=False)

    for whose in (student, uuid4()):
        assert (await terminal("grant-role", str(whose), "admin")).exit_code == 1
    assert (await terminal("grant-role", str(student), "king")).exit_code == 2

    assert await store.reader.head() == 1
