"""Questions: imported, imported again, stopped and gone on with, and exported into what imports the same."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cli import question_import
from domain.cause import OPERATOR
from domain.errors import LogUnavailable
from domain.question import Question
from eventstore.log import EventLog
from projections.published_questions import published_pages
from tests.cli.conftest import Terminal
from tests.eventstore.conftest import Store

LABELS = ("--grade", "3", "--subject", "math", "--topic", "sums")


def a_line(number: int, **fields: object) -> dict[str, Any]:
    return {
        "id": f"sums:{number}",
        "type": "fill_in_blank",
        "question": f"What is {number} + 1?",
        "options": None,
        "correct_answer": str(number + 1),
        "explanation": "",
        "grade": None,
    } | fields


def write(file: Path, *lines: object) -> str:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    file.write_text("\n".join(texts), encoding="utf-8")
    return str(file)


async def bank(store: Store) -> list[Question]:
    return [question async for page in published_pages(store.pool, await store.reader.head()) for question in page]


async def test_a_file_is_published_by_the_operator(terminal: Terminal, store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "sums.jsonl", *map(a_line, range(5)))

    done = await terminal("questions", "import", file, *LABELS)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "5 published, 0 of them as a next version; 0 unchanged; 0 bad.\n"
    assert {question.source for question in await bank(store)} == {f"sums:{number}" for number in range(5)}
    records = await store.reader.read(0)
    assert {(record.type, record.actor) for record in records} == {("QuestionPublished", OPERATOR)}
    assert len({record.correlation_id for record in records}) == 1


async def test_a_second_run_adds_only_what_is_new_or_changed(terminal: Terminal, store: Store, tmp_path: Path) -> None:
    before = write(tmp_path / "before.jsonl", *map(a_line, range(5)))
    after = write(tmp_path / "after.jsonl", a_line(0, question="Add 0 and 1."), *map(a_line, range(1, 6)))

    runs = [await terminal("questions", "import", file, *LABELS) for file in (before, before, after, after, before)]

    assert [run.stdout for run in runs] == [
        "5 published, 0 of them as a next version; 0 unchanged; 0 bad.\n",
        "0 published, 0 of them as a next version; 5 unchanged; 0 bad.\n",
        "2 published, 1 of them as a next version; 4 unchanged; 0 bad.\n",
        "0 published, 0 of them as a next version; 6 unchanged; 0 bad.\n",
        "1 published, 1 of them as a next version; 4 unchanged; 0 bad.\n",
    ]
    [first] = [question for question in await bank(store) if question.source == "sums:0"]
    assert (first.version, first.stem) == (3, "What is 0 + 1?")
    assert await store.reader.head() == 8


async def test_an_import_that_was_stopped_goes_on_where_it_was(
    terminal: Terminal, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_import, "BATCH", 4)
    file = write(tmp_path / "sums.jsonl", *map(a_line, range(10)))
    execute, calls = EventLog.execute, 0

    async def fail_from_the_sixth_on(self: EventLog, *args: Any) -> Any:  # noqa: ANN401  passed on
        nonlocal calls
        calls += 1
        if calls > 5:
            raise LogUnavailable
        return await execute(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(EventLog, "execute", fail_from_the_sixth_on)
        stopped = await terminal("questions", "import", file, *LABELS)
    at = await store.reader.head()
    again = await terminal("questions", "import", file, *LABELS)

    assert stopped.exit_code == 3
    assert 4 <= at <= 5
    assert again.stdout == f"{10 - at} published, 0 of them as a next version; {at} unchanged; 0 bad.\n"
    assert await store.reader.head() == 10


async def test_bad_lines_are_told_by_number_and_good_ones_kept(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    repeated = a_line(2, type="multiple_choice", options=["3", "3 "], correct_answer="3")
    file = write(
        tmp_path / "sums.jsonl",
        a_line(1),
        "{",
        "",
        a_line(1),
        repeated,
        a_line(3, grade=9),
        "[" * 2_000_000,
        a_line(4, subject="more", grade=0),
    )

    done = await terminal("questions", "import", file, *LABELS)

    assert done.exit_code == 1
    assert [" ".join(told.split()[:3]) for told in done.stderr.splitlines()] == [
        "line 2: no_json:",
        "line 4: repeated_id:",
        "line 5: options_repeated:",
        "line 6: misshapen:",
        "line 7: no_json:",
    ]
    assert done.stdout == "2 published, 0 of them as a next version; 0 unchanged; 5 bad.\n"
    assert {(one.source, one.subject, one.grade) for one in await bank(store)} == {
        ("sums:1", "math", 3),
        ("sums:4", "more", 0),
    }


async def test_labels_override_lines_where_it_is_said(terminal: Terminal, store: Store, tmp_path: Path) -> None:
    file = write(tmp_path / "sums.jsonl", a_line(1, grade=1, subject="other", topic="own"))

    await terminal("questions", "import", file, "--grade", "5", "--subject", "math", "--override")

    [question] = await bank(store)
    assert (question.grade, question.subject, question.topic) == (5, "math", "own")


async def test_a_gzipped_file_is_read_as_it_is(terminal: Terminal, store: Store, tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps(a_line(1)).encode() + b"\n")
    whole, cut_off = tmp_path / "sums", tmp_path / "cut.gz"
    whole.write_bytes(packed)
    cut_off.write_bytes(packed[:-12])

    assert (await terminal("questions", "import", str(whole), *LABELS)).exit_code == 0
    damaged = await terminal("questions", "import", str(cut_off), *LABELS)

    assert (damaged.exit_code, damaged.stderr) == (1, f"{cut_off} is cut off or damaged.\n")
    assert len(await bank(store)) == 1


async def test_what_is_exported_is_imported_as_the_same_questions(terminal: Terminal, tmp_path: Path) -> None:
    lines = [
        *map(a_line, range(3)),
        a_line(7, question="Which?", type="multiple_choice", options=["a cat", "a dog", "none of these"])
        | {"correct_answer": "a dog", "mistakes": [{"answer": "a", "feedback": "It barks."}], "hints": ["It barks."]},
        a_line(8, type="true_false", correct_answer=True),
        a_line(9, correct_answer="Z\u00fcrich \u2028", language="de-CH", skill="towns", difficulty="hard"),
    ]
    await terminal("questions", "import", write(tmp_path / "sums.jsonl", *lines), *LABELS)
    await terminal("questions", "import", write(tmp_path / "next.jsonl", a_line(0, hints=["Count on."])), *LABELS)
    output = tmp_path / "bank.jsonl"

    exported = await terminal("questions", "export", "--output", str(output))
    here = await terminal("questions", "export")
    again = await terminal("questions", "import", str(output))

    assert (exported.exit_code, exported.stderr) == (0, "6 questions.\n")
    assert here.stdout == output.read_text(encoding="utf-8")
    assert len(here.stdout.split("\n")) == 7
    assert again.stdout == "0 published, 0 of them as a next version; 6 unchanged; 0 bad.\n"
    assert not list(tmp_path.glob("*.part"))


async def test_an_export_into_another_bank_is_the_same_bank(
    terminal: Terminal, store: Store, empty_database: str, tmp_path: Path
) -> None:
    await terminal("questions", "import", write(tmp_path / "sums.jsonl", *map(a_line, range(3))), *LABELS)
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    elsewhere = {"AFTERSCHOOL_DATABASE_URL": empty_database}
    await terminal("migrate", **elsewhere)

    await terminal("questions", "export", "--output", str(first))
    await terminal("questions", "import", str(first), **elsewhere)
    await terminal("questions", "export", "--output", str(second), **elsewhere)

    assert sorted(first.read_text(encoding="utf-8").splitlines()) == sorted(
        second.read_text(encoding="utf-8").splitlines()
    )
    assert len(await bank(store)) == 3


async def test_a_check_names_the_lines_of_every_defect_and_publishes_nothing(
    terminal: Terminal, store: Store, tmp_path: Path
) -> None:
    story = "Mary bakes a cake with 11 cups of flour and 7 cups of sugar. How many cups does she need?"
    choice = {"type": "multiple_choice", "options": ["red", "Red"], "correct_answer": "red"}
    file = write(
        tmp_path / "sums.jsonl",
        a_line(1),
        "{",
        a_line(1, question="Another?"),
        a_line(2, **choice),
        a_line(3, question=story),
        a_line(4, question=story.replace("11", "12")),
        a_line(5, correct_answer="1, 2"),
        a_line(6, correct_answer="3, 4"),
    )

    told = await terminal("questions", "check", file)
    as_json = await terminal("questions", "check", file, "--json")
    clean = await terminal("questions", "check", write(tmp_path / "clean.jsonl", a_line(1)))

    assert (told.exit_code, as_json.exit_code) == (1, 1)
    assert told.stdout.splitlines() == [
        "8 lines.",
        "several_values, refused: 2: line 7, 8",
        "no_json, refused: 1: line 2",
        "options_repeated, refused: 1: line 4",
        "repeated_id, refused: 1: line 3 (as 1)",
        "near_duplicate, doubtful: 1: line 6 (as 5)",
    ]
    report = json.loads(as_json.stdout)
    assert report["defects"]["several_values"] == {"count": 2, "refused": True, "lines": [7, 8]}
    assert report["defects"]["near_duplicate"] == {"count": 1, "refused": False, "lines": [6], "like": [5]}
    assert (clean.exit_code, clean.stdout) == (0, "1 lines.\n")
    assert await store.reader.head() == 0
