"""Requests file: pressed from top to bottom with the demo accounts, every call of `requests.http` does what it says."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from adapters.settings import load_settings
from api.app import ROUTES
from tests.cli.conftest import Terminal
from workers.run_projector import run_projector

FILE = (Path(__file__).parents[2] / "requests.http").read_text(encoding="utf-8")
QUESTION = {
    "id": "half",
    "type": "fill_in_blank",
    "question": "What is half of one half, as a fraction?",
    "correct_answer": "1/4",
    "explanation": "Half of 1/2 is 1/2 times 1/2.",
    "grade": 4,
    "subject": "Mathematics",
    "topic": "Fractions",
}
"""One question of those that a new system begins with, as far as the file minds."""
VARIABLE = re.compile(r"\{\{([^}]+)\}\}")


@pytest.fixture
async def projector(terminal: Terminal) -> AsyncIterator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(run_projector(load_settings(terminal.environment), stop))
    yield
    stop.set()
    await running


class Editor:
    """Presses requests as an editor does that knows .http files."""

    def __init__(self, client: httpx.AsyncClient, variables: dict[str, str]) -> None:
        self._client = client
        self._variables = variables

    async def press(self, block: str) -> httpx.Response:
        name = re.search(r"^# @name (\w+)$", block, re.MULTILINE)
        text = "\n".join(line for line in block.splitlines()[1:] if not line.startswith("#"))
        head, _, body = VARIABLE.sub(lambda found: self._variables[found[1]], text).strip().partition("\n\n")
        line, *headers = head.splitlines()
        method, address = line.split(" ")
        fields = dict(header.split(": ", 1) for header in headers)
        request = self._client.build_request(method, address, headers=fields, content=body)
        answer = await self._client.send(request, stream=True)
        while name and name[1] == "test" and answer.status_code == 422:
            await answer.aclose()
            await asyncio.sleep(0.1)
            answer = await self._client.send(request, stream=True)
        if answer.headers.get("content-type") == "text/event-stream":  # it has no end
            await answer.aclose()
        else:
            await answer.aread()
        for path, value in leaves(answer.json()) if name else ():
            self._variables[f"{name and name[1]}.response.body.{path}"] = str(value)
        return answer


def leaves(body: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield what an editor finds in a body, by its path: `code`, `questions[0].id`."""
    match body:
        case dict():
            for name, value in body.items():
                yield from leaves(value, f"{path}.{name}" if path else name)
        case list():
            for at, value in enumerate(body):
                yield from leaves(value, f"{path}[{at}]")
        case _:
            yield path, body


@pytest.mark.usefixtures("projector")
async def test_every_request_is_answered_as_its_title_says(
    terminal: Terminal, api: httpx.AsyncClient, tmp_path: Path
) -> None:
    bank = tmp_path / "bank.jsonl"
    bank.write_text("".join(map(json.dumps, [QUESTION])), encoding="utf-8")
    imported = await terminal("questions", "import", str(bank))
    assert imported.exit_code == 0, imported.output
    accounts = {a["who"]: a for a in json.loads((await terminal("demo", "accounts", "--json")).stdout)}
    variables = dict(re.findall(r"^@(\w+) = (.+)$", FILE, re.MULTILINE))
    for name in variables.keys() - {"api"}:
        who, field = name.split("_")
        variables[name] = accounts[who][field]
    editor = Editor(api, variables | {"api": str(api.base_url)})

    blocks = re.split(r"^###", FILE, flags=re.MULTILINE)[1:]
    answers = [(block, await editor.press(block)) for block in blocks]

    wrong = [a for block, a in answers if not (a.status_code == 403 if block.startswith(" Refused") else a.is_success)]
    assert {(a.request.method, a.request.url.path, a.text) for a in wrong} == set()


def test_the_file_has_every_call_there_is() -> None:
    pressed = re.findall(r"^(GET|POST|PATCH|DELETE) \{\{api\}\}([^\s?]+)", FILE, re.MULTILINE)

    in_file = {(method, re.sub(r"\{\{[\w.]+\}\}", "{}", path)) for method, path in pressed}
    served = {(method, re.sub(r"\{\w+\}", "{}", route.path)) for route in ROUTES for method in route.methods or ()}
    assert {call for call in served if not call[1].startswith("/problems")} == in_file


def test_the_file_holds_no_password_of_anyone() -> None:
    assert re.findall(r"_password = (?!put-the)", FILE) == []
