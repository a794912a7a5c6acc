"""Load: HTTP/1.1 requests over kept-alive sockets, cheaply, so that the server and not its client is measured.

As a process of its own, `python -m benchmarks.load` reads a plan from stdin and prints what it counted.
"""

import asyncio
import json
import sys
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple, cast

import uvloop

_END = b"\r\n\r\n"


class Answer(NamedTuple):
    """A response: its status, its header lines and its body."""

    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header's value."""
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.encode():
                return value.strip().decode()
        return None


class Connection(asyncio.Protocol):
    """One socket, one request at a time; responses must say their length."""

    def __init__(self, on_answer: Callable[[Answer], None] | None = None) -> None:
        self._on_answer = on_answer or self._settle
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._received = b""

    def send(self, request: bytes) -> None:
        """Send a request whose answer goes to `on_answer`; raises `ConnectionError` when the server has hung up."""
        if self._transport is None:
            raise ConnectionResetError("the server hung up")
        self._transport.write(request)

    async def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer; raises `ConnectionError` when the server hangs up."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.send(request)
        return await self._waiting

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell whoever waits."""
        self._transport = None
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(error or ConnectionResetError("the server hung up"))

    def data_received(self, data: bytes) -> None:
        """Collect until a response is complete."""
        received = self._received = self._received + data if self._received else data
        head_end = received.find(_END)
        if head_end < 0:
            return
        body_end = head_end + 4 + _content_length(received, head_end)
        if len(received) >= body_end:
            self._received = b""
            self._on_answer(Answer(int(received[9:12]), received[:head_end], received[head_end + 4 : body_end]))

    def _settle(self, answer: Answer) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)


def _content_length(received: bytes, head_end: int) -> int:
    start = received.lower().find(b"content-length:", 0, head_end)
    if start < 0:
        return 0
    return int(received[start + 15 : received.find(b"\r", start)])


async def connect(
    port: int, on_answer: Callable[[Answer], None] | None = None, *, host: str = "127.0.0.1", secure: bool = False
) -> Connection:
    """Open a connection to a server, by default one of this machine."""
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: Connection(on_answer), host, port, ssl=secure or None)
    return connection


def request(
    method: str, path: str, *, body: bytes = b"", token: str = "", key: str = "", host: str = "127.0.0.1"
) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if key:
        lines.append(f"Idempotency-Key: {key}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


NUMBER = b"{number}"
"""Where a request that is sent over and over shows how often it was sent, so that each has a key of its own."""


class Plan(NamedTuple):
    """What to send: one connection a request, each sent again as soon as it is answered."""

    port: int
    seconds: float
    expected: int
    """The status that every answer must have."""
    requests: Sequence[bytes]


async def send_over_and_over(plan: Plan) -> float:
    """Return answers a second; raises `AssertionError` if one has another status."""
    answers, odd = 0, 0
    numbers = count(time.time_ns())
    end = float("inf")
    done = [asyncio.get_running_loop().create_future() for _ in plan.requests]

    def sender(n: int, template: bytes) -> Callable[[Answer], None]:
        before, marked, after = template.partition(NUMBER)

        def on_answer(answer: Answer) -> None:
            nonlocal answers, odd
            answers += 1
            odd += answer.status != plan.expected
            if time.perf_counter() < end:
                send()
            else:
                done[n].set_result(None)

        def send() -> None:
            connections[n].send(before + b"%d" % next(numbers) + after if marked else template)

        first_sends.append(send)
        return on_answer

    first_sends: list[Callable[[], None]] = []
    connections = [await connect(plan.port, sender(n, template)) for n, template in enumerate(plan.requests)]
    began = time.perf_counter()
    end = began + plan.seconds
    for send in first_sends:
        send()
    await asyncio.gather(*done)
    elapsed = time.perf_counter() - began
    for connection in connections:
        connection.close()
    assert not odd, f"{odd} of {answers} answers had another status than {plan.expected}"
    return answers / elapsed


async def send_from_another_process(plan: Plan) -> float:
    """Do the same in a process of its own, so that nothing but the server competes with the server."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.load"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    sent = {**plan._asdict(), "requests": [b64encode(one).decode() for one in plan.requests]}
    output, _ = await process.communicate(json.dumps(sent).encode())
    return float(output)


def main() -> None:
    """Run the plan that comes in and print answers a second."""
    plan = json.load(sys.stdin)
    plan["requests"] = [b64decode(one) for one in plan["requests"]]
    print(uvloop.run(send_over_and_over(Plan(**plan))))


if __name__ == "__main__":
    main()
