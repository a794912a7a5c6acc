"""FinishErasure: what is left to do for someone whom the log has forgotten; done again after a crash at any step."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID, uuid5

from commands.erase_user import EraseUser, erase_user
from commands.ports import (
    Accounts,
    Erasure,
    ErasureLedger,
    Erasures,
    Log,
    PersonalValues,
    PersonKeys,
    SignedInDevices,
)
from domain.cause import HOUSEKEEPER, Cause
from domain.errors import NotAllowed

ERASED = "erased"
"""Why the sessions ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasurePorts:
    """Everything outside the log that knows a person."""

    log: Log
    erasures: Erasures
    ledger: ErasureLedger | None
    """None where nobody keeps one: what was erased comes back with a backup."""
    keys: PersonKeys
    accounts: Accounts
    devices: SignedInDevices
    values: PersonalValues


async def finish_erasure(ports: ErasurePorts, erasure: Erasure) -> None:
    """Enter the ledger, destroy the key, remove the account, end the sessions, empty the cache; then note it is done.

    Every step may be repeated. Raises what its machines raise when they are away: try again later.
    """
    person_id = erasure.person_id
    if ports.ledger:
        await ports.ledger.add(person_id, erasure.on)
    await ports.keys.destroy(person_id)
    await ports.accounts.delete(person_id)
    await ports.devices.revoke_all(person_id, ERASED)
    await ports.values.forget_person(person_id, erasure.position)
    await ports.erasures.finish(erasure)


async def reapply_ledger(ports: ErasurePorts) -> int:
    """Erase again whom an older backup has brought back, all of it, and return how many; none without a ledger.

    To be called before anyone is served from a database that may have been restored. A ledger that is not there is one
    that was lost, and raises `OSError`, unless the whole system is new.
    """
    if ports.ledger is None:
        return 0
    if await ports.erasures.nobody_yet():
        await ports.ledger.begin()
    erased = await ports.ledger.read()
    forgotten = await ports.erasures.forgotten(erased.keys())
    for person_id in forgotten:
        await _erase_again(ports, person_id, erased[person_id])
    return len(forgotten)


async def _erase_again(ports: ErasurePorts, person_id: UUID, on: date) -> None:
    command_id = uuid5(person_id, "restored")
    cause = Cause(
        command_id=command_id,
        operation="EraseUser",
        actor=HOUSEKEEPER,
        occurred_at=datetime.now(UTC),
        body=person_id.bytes,
        correlation_id=command_id,
        causation_id=command_id,
    )
    try:
        receipt = await erase_user(ports.log, EraseUser(cause=cause, user_id=person_id, reason="restored"))
    except NotAllowed:  # another process was faster
        return
    await finish_erasure(ports, Erasure(person_id, receipt.last, on))
