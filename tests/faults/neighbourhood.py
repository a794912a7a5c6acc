"""Neighbourhood: families move in, everybody pries, and whoever sees something foreign is found."""

import asyncio
import time
from random import Random
from typing import get_args

import asyncpg
import httpx

from domain.events import StaffRole
from tests.faults.neighbours import Deed, Link, Person
from tests.faults.prying import AGAIN, OPERATIONS, QUIETLY, TOPIC, Prying
from tests.faults.village import Village

PEOPLE_AT_ONCE = 16
WATCHERS = 3
ENOUGH = 20
"""Foreign values after which nobody needs to look any further."""


async def pry(
    village: Village, seed: int, *, families: int, requests: int, with_faults: bool = True, enough: int = ENOUGH
) -> Prying:
    """Let so many families live side by side and ask so often; return what was seen, also by whom it was not for."""
    chance, over = Random(seed), asyncio.Event()  # noqa: S311  repeatable
    async with Prying(village, chance) as prying:
        await assert_every_operation_is_tried(village)
        await move_in(prying, families)
        async with asyncio.TaskGroup() as group:
            if with_faults:
                group.create_task(village.suffer(Random(chance.random()), over))  # noqa: S311  repeatable
            watchers = [group.create_task(watch()) for watch in [prying.watch, prying.part] for _ in range(WATCHERS)]
            async with asyncio.TaskGroup() as askers:
                for _ in range(PEOPLE_AT_ONCE):
                    askers.create_task(ask_on(prying, requests, enough))
            over.set()
            for watcher in watchers:
                watcher.cancel()
        await prying.look_for_the_erased()
        connection = await asyncpg.connect(village.dsn)
        prying.events_known = await prying.eyes.look_into_log(connection)
        await connection.close()
    return prying


async def ask_on(prying: Prying, requests: int, enough: int) -> None:
    """Let one after the other try something, until it was enough."""
    weights = [weight for weight, _ in (*OPERATIONS.values(), AGAIN)]
    tries = [attempt for _, attempt in (*OPERATIONS.values(), AGAIN)]
    while prying.asked.total() < requests and len(prying.eyes.foreign) < enough:
        person = prying.anybody()
        (attempt,) = prying.chance.choices(tries, weights)
        await (prying.chance.choice(QUIETLY) if person.is_quiet else attempt)(prying, person)


async def assert_every_operation_is_tried(village: Village) -> None:
    async with httpx.AsyncClient(base_url=village.apis[0].url) as http:
        document = (await http.get("/openapi.json")).json()
    documented = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}
    assert documented == OPERATIONS.keys(), "somebody has to try every operation"


async def move_in(prying: Prying, families: int) -> None:
    """Let families of all kinds register, students who are alone, and staff who have no children."""
    await prying.village.publish(TOPIC, 30)
    await asyncio.gather(*(move_one_in(prying, number) for number in range(families)))
    await asyncio.gather(*(registered(prying, "student") for _ in range(families // 8 + 1)))
    for role in get_args(StaffRole):
        await prying.village.grant((await registered(prying, "parent")).id, role)


async def move_one_in(prying: Prying, number: int) -> None:
    """Let one family register: one parent or two, of whom one may be gone again, and up to three children."""
    parent = await registered(prying, "parent")
    children = [await registered(prying, "student", parent) for _ in range(1 + number % 3)]
    if number % 2:
        link = await pair(prying, parent, await registered(prying, "parent"), children[0])
        if number % 4 == 1:
            await part(prying, parent, link)


async def registered(prying: Prying, role: str, parent: Person | None = None) -> Person:
    person = await prying.register(role, parent)
    assert person, prying.complaints
    return person


async def pair(prying: Prying, parent: Person, second: Person, child: Person) -> Link:
    """Let one more guardian join with a parent's code."""
    path, token = {"student_id": child.id}, prying.good_token(parent)
    made = await prying.ask(
        "POST /users/{student_id}/pairing-codes", parent, path=path, key=prying.new_key(), about=child, token=token
    )
    assert made
    link = prying.neighbours.link(second, child, Deed(time.monotonic()))
    body, token = {"code": made.json["code"]}, prying.good_token(second)
    linked = await prying.ask("POST /guardianships", second, body=body, key=prying.new_key(), about=child, token=token)
    assert linked
    link.begun.done = linked.answered
    prying.know_link(link, linked.json["id"])
    return link


async def part(prying: Prying, parent: Person, link: Link) -> None:
    """Let a parent remove the other guardian."""
    link.ended, token = Deed(time.monotonic()), prying.good_token(parent)
    it = await prying.ask(
        "DELETE /guardianships/{id}", parent, path={"id": link.number}, key=prying.new_key(), token=token
    )
    assert it
    link.ended.done = it.answered
