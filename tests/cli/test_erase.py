"""Erasure at the command line: somebody is forgotten, the schedule is shown and kept, the housekeeper sees to it."""

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from adapters.erasure_ledger import FileLedger
from adapters.settings import SettingsInvalid, load_settings
from domain.cause import HOUSEKEEPER, OPERATOR
from tests.cli.conftest import Terminal, register
from tests.eventstore.conftest import Store
from tests.faults.proxy import Proxy
from tests.workers.running import eventually
from tests.workers.students import erase
from workers.run_housekeeper import run_housekeeper

MACHINES = ("DATABASE_URL", "REDIS_URL", "SUPABASE_URL")


async def test_somebody_is_forgotten_once(terminal: Terminal, store: Store) -> None:
    student = await register(store, allowed=False)

    asked = await terminal("erase", str(student))
    erased, again = await terminal("erase", str(student), "--yes"), await terminal("erase", str(student), "--yes")
    unknown = await terminal("erase", str(uuid4()), "--yes")

    assert [one.exit_code for one in (asked, erased, again, unknown)] == [1, 0, 1, 1]
    assert erased.stdout == "Done; the log holds it at 2. The housekeeper does the rest.\n"
    assert again.stderr == unknown.stderr == "There is no such account, or no more.\n"
    _, record = await store.reader.stream(f"user-{student}")
    assert (record.type, record.actor, record.data) == ("UserErased", OPERATOR, '{"reason":"asked"}')


async def test_the_schedule_is_shown_first_and_kept_when_asked(terminal: Terminal, store: Store, database: str) -> None:
    student = await register(store, allowed=False)
    owner = await asyncpg.connect(database)
    await owner.execute("alter table events disable trigger user")
    for moment in ("occurred_at", "recorded_at"):
        await owner.execute(f"update events set {moment} = {moment} - interval '15 days'")
    await owner.close()

    shown, table = await terminal("retention", "--json"), await terminal("retention")
    before = await store.reader.head()
    applied, after = await terminal("retention", "--apply"), await terminal("retention", "--json")

    assert [(rule["days"], rule["people"]) for rule in json.loads(shown.stdout)[:2]] == [
        (14, [str(student)]),
        (730, []),
    ]
    assert "due: 1" in table.stdout
    assert before == 1, "nothing was changed"
    assert "gone: 1" in applied.stdout
    assert json.loads(after.stdout)[0]["people"] == []
    _, record = await store.reader.stream(f"user-{student}")
    assert (record.type, record.actor, record.data) == ("UserErased", HOUSEKEEPER, '{"reason":"unlinked"}')


async def test_no_housekeeper_works_without_a_ledger(terminal: Terminal) -> None:
    with pytest.raises(SettingsInvalid, match="AFTERSCHOOL_ERASURE_LEDGER"):
        await run_housekeeper(load_settings(terminal.environment), asyncio.Event())


@pytest.mark.usefixtures("auth")
async def test_the_housekeeper_outlives_every_outage_and_stops_when_told(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "erasures.jsonl"
    environment = terminal.environment | {"AFTERSCHOOL_ERASURE_LEDGER": str(file)}
    async with AsyncExitStack() as stack:
        links = []
        for name in MACHINES:
            url = urlsplit(environment[f"AFTERSCHOOL_{name}"])
            link = await stack.enter_async_context(Proxy("127.0.0.1", url.port or 0))
            environment[f"AFTERSCHOOL_{name}"] = url.geturl().replace(f":{url.port}", f":{link.port}")
            links.append(link)
        stop = asyncio.Event()
        with capture_logs() as logged:
            working = asyncio.create_task(run_housekeeper(load_settings(environment), stop))

            async def waits_for(person: UUID, *, is_done: bool) -> None:
                """Wait until the erasure is done, or was tried in vain."""
                seen = len(logged)

                async def it_is() -> bool:
                    done = await store.pool.fetchval("select count(*) from erasures where person_id = $1", person)
                    assert not working.done(), "the housekeeper lives"
                    return bool(done) if is_done else len(logged) > seen and not done

                await eventually(it_is)

            for link in links:
                link.go_away()
                person = await register(store)
                await erase(store, person)
                await waits_for(person, is_done=False)
                await FileLedger(file).begin()
                link.come_back()
                await waits_for(person, is_done=True)
                assert person in await FileLedger(file).read()

            stop.set()
            async with asyncio.timeout(5):
                await working
