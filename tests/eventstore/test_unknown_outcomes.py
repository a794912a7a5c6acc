"""Unknown outcomes: wherever the connection breaks, a command is appended once and its caller told the truth."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
import pytest

from domain.errors import LogUnavailable
from eventstore.append import Accepted, Append, Known, Verdict
from eventstore.appender import Appender
from tests.eventstore.appends import END, an_append
from tests.eventstore.conftest import Store
from tests.eventstore.foreign import holding, until, waiting_for_the_lock
from tests.eventstore.soundness import assert_answered, assert_sound
from tests.faults.proxy import Proxy, Towards

CALL_TIMEOUT = 0.4
DEADLINE = 30.0


@dataclass
class Link:
    """An appender whose way to the database may be disturbed, and the log as it really is."""

    proxy: Proxy
    dsn: str
    appender: Appender
    store: Store

    async def check(self, appends: list[Append], verdicts: list[Verdict]) -> None:
        """The log is sound, and each of these was accepted, stands where its verdict says, and nowhere else."""
        records = await self.store.reader.read(0, limit=1_000_000)
        assert_sound(records)
        assert {type(verdict) for verdict in verdicts} == {Accepted}
        assert_answered(records, zip(appends, verdicts, strict=True))

    async def is_tried_again(self) -> bool:
        """Tell whether the appender has made another connection."""
        return self.proxy.accepted > 1


@pytest.fixture
async def link(store: Store) -> AsyncIterator[Link]:
    """Connect an appender through a proxy, warm: its connection is open and its statement prepared."""
    server = urlsplit(store.dsn)
    async with Proxy(server.hostname or "", server.port or 0) as proxy:
        dsn = store.dsn.replace(f":{server.port}/", f":{proxy.port}/")
        appender = Appender(dsn, deadline=DEADLINE, call_timeout=CALL_TIMEOUT)
        await appender.start()
        assert isinstance(await appender.append(an_append(("warm", 1))), Accepted)
        yield Link(proxy, dsn, appender, store)
        proxy.come_back()
        await appender.stop()


async def append_all(link: Link, appends: list[Append]) -> list[Verdict]:
    return await asyncio.gather(*(link.appender.append(append) for append in appends))


async def test_a_lost_answer_is_found_in_the_log(link: Link) -> None:
    appends = [an_append((f"s{n}", 1), ("shared", END)) for n in range(5)]
    link.proxy.cut(Towards.CLIENT)

    verdicts = await append_all(link, appends)

    assert link.proxy.cuts == 1
    await link.check(appends, verdicts)
    assert all(isinstance(verdict, Accepted) and verdict.found for verdict in verdicts)


async def test_a_batch_that_never_arrived_is_appended_by_the_resend(link: Link) -> None:
    appends = [an_append((f"s{n}", 1), ("shared", END)) for n in range(5)]
    link.proxy.cut(Towards.SERVER)

    verdicts = await append_all(link, appends)

    assert link.proxy.cuts == 1
    await link.check(appends, verdicts)
    assert not any(isinstance(verdict, Accepted) and verdict.found for verdict in verdicts)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("towards", Towards)
async def test_wherever_the_connection_breaks_every_command_is_appended_once(
    link: Link, towards: Towards, *, reset: bool
) -> None:
    appends: list[Append] = []
    verdicts: list[Verdict] = []

    for after in (1, 5, 20, 60, 150, 400, 1000, 2000):
        batch = [an_append((f"{after}-{n}", 1), ("shared", END)) for n in range(5)]
        link.proxy.cut(towards, after=after, reset=reset)
        verdicts += await append_all(link, batch)
        appends += batch

    assert link.proxy.cuts >= 4
    await link.check(appends, verdicts)


async def test_a_silent_database_is_left_for_a_new_connection(link: Link) -> None:
    appends = [an_append(("shared", END)) for _ in range(3)]
    link.proxy.go_silent()

    sent = asyncio.ensure_future(append_all(link, appends))
    await until(link.is_tried_again)
    link.proxy.come_back()

    await link.check(appends, await sent)


async def test_a_backend_that_finishes_late_appends_nothing_twice(link: Link) -> None:
    appends = [an_append((f"s{n}", 1), ("shared", END)) for n in range(5)]

    async with holding(link.store.dsn, an_append(("shared", END))) as held:
        sent = asyncio.ensure_future(append_all(link, appends))
        await waiting_for_the_lock(link.store.dsn, 1)
        link.proxy.reset()  # the backend stands in line and does not notice that nobody listens any more
        await waiting_for_the_lock(link.store.dsn, 2)
        await held.commit()

        await link.check(appends, await sent)
    assert await link.store.reader.head() == 2 + 10


async def test_a_repeat_by_the_client_of_a_command_with_a_lost_answer_gets_the_same_receipt(link: Link) -> None:
    append = an_append(("a", END))
    link.proxy.cut(Towards.CLIENT)
    first = await link.appender.append(append)

    second = await link.appender.append(append)

    assert isinstance(first, Accepted)
    assert isinstance(second, Known)
    assert (second.first, second.last, second.recorded_at) == (first.first, first.last, first.recorded_at)


async def test_another_body_is_not_taken_for_the_own_work_of_a_lost_answer(link: Link) -> None:
    append = an_append(("a", END), fingerprint=b"one")
    await link.appender.append(append)
    link.proxy.cut(Towards.CLIENT)

    verdict = await link.appender.append(an_append(("a", END), command_id=append.command_id, fingerprint=b"two"))

    assert isinstance(verdict, Known)
    assert verdict.fingerprint == b"one"


async def test_a_log_that_stays_away_is_said_to_be_unavailable(link: Link) -> None:
    appender = Appender(link.dsn, deadline=0.3, call_timeout=CALL_TIMEOUT)
    await appender.start()
    link.proxy.go_away()

    results = await asyncio.gather(*(appender.append(an_append(("a", END))) for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [LogUnavailable] * 3
    link.proxy.come_back()
    assert isinstance(await appender.append(an_append(("a", END))), Accepted)
    assert await link.store.reader.head() == 2
    await appender.stop()


async def test_stopping_does_not_wait_for_a_log_that_is_away(link: Link) -> None:
    link.proxy.go_away()
    waiting = asyncio.ensure_future(link.appender.append(an_append(("a", END))))
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        await link.appender.stop()

    with pytest.raises(LogUnavailable):
        await waiting


async def test_a_server_that_takes_no_connection_is_no_commands_fault(store: Store) -> None:
    appender = Appender(store.dsn + "_which_is_not_there", deadline=0.2)
    await appender.start()

    results = await asyncio.gather(*(appender.append(an_append(("a", END))) for _ in range(2)), return_exceptions=True)

    assert [type(result) for result in results] == [LogUnavailable] * 2
    await appender.stop()


async def test_cancelled_callers_harm_nobody(link: Link) -> None:
    seeded = random.Random(20_260_301)  # noqa: S311  the same victims in every run
    appends = [an_append((f"s{n % 9}", END), ("shared", END)) for n in range(600)]
    tasks = [asyncio.ensure_future(link.appender.append(append)) for append in appends]

    for turn, victim in enumerate(seeded.sample(tasks, 300)):
        victim.cancel()
        if turn % 20 == 0:
            await asyncio.sleep(0)
    results = await asyncio.gather(*tasks, return_exceptions=True)

    answered = [(a, r) for a, r in zip(appends, results, strict=True) if not isinstance(r, BaseException)]
    assert len(answered) >= 300
    assert {type(result) for result in results} == {Accepted, asyncio.CancelledError}
    await link.check([append for append, _ in answered], [verdict for _, verdict in answered])


async def test_killed_backends_lose_and_double_nothing(link: Link) -> None:
    killer = asyncio.create_task(kill_writers(link.store.dsn, times=8))
    answered: list[tuple[Append, Verdict]] = []

    async def append_until_done() -> None:
        while not killer.done():
            append = an_append((f"s{len(answered) % 9}", END), ("shared", END))
            answered.append((append, await link.appender.append(append)))

    await asyncio.gather(*(append_until_done() for _ in range(40)))

    assert await killer == 8
    assert len(answered) > 300
    await link.check([append for append, _ in answered], [verdict for _, verdict in answered])
    assert await link.store.reader.head() == 1 + 2 * len(answered)


async def kill_writers(dsn: str, times: int) -> int:
    """End the appender's backend so many times, each a moment after it came back; return how many were ended."""
    killed = 0
    connection = await asyncpg.connect(dsn)
    while killed < times:
        await asyncio.sleep(0.03)
        killed += await connection.fetchval(
            """
            select count(pg_terminate_backend(pid)) from pg_stat_activity
            where application_name = 'afterschool-append' and datname = current_database() and state = 'active'
            """
        )
    await connection.close()
    return killed
