"""Docs: every setting, command and event has its line, and no line tells of one that is not there."""

import json
import re
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from adapters.settings import OF_ONE_MACHINE, PREFIX, Settings
from cli.command_line import COMMANDS
from domain.events import Event
from domain.personal import PersonalMark
from eventstore.codec import event_types

DOCS = Path(__file__).parents[1] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text(encoding="utf-8")
EVENTS = (DOCS / "events.md").read_text(encoding="utf-8")
SETTING_LINES = dict(re.findall(rf"^\| `({PREFIX}\w+)` \| (.+?) \| .+ \|$", OPERATIONS, re.MULTILINE))


def default_in_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default in ("", None):
        return "empty"
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    return f"`{field.default}`" if isinstance(field.default, str) else f"`{json.dumps(field.default)}`"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_its_line_with_its_default(name: str) -> None:
    assert SETTING_LINES.get(f"{PREFIX}{name.upper()}") == default_in_words(Settings.model_fields[name])


def test_no_line_tells_of_a_setting_that_is_not_there() -> None:
    assert SETTING_LINES.keys() == {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | OF_ONE_MACHINE


@pytest.mark.parametrize("name", COMMANDS)
def test_operations_tell_of_every_command(name: str) -> None:
    assert f"`afterschool {name}" in OPERATIONS


def section_of(name: str) -> str:
    [section] = re.findall(rf"^### {name}\n(.*?)(?=^##|\Z)", EVENTS, re.MULTILINE | re.DOTALL)
    return str(section)


@pytest.mark.parametrize("event_type", event_types().values())
def test_every_event_has_its_section_with_every_field_and_how_it_rests(event_type: type[Event]) -> None:
    told = dict(re.findall(r"^\| (\w+) \| (clear|sealed) \|", section_of(event_type.TOPIC), re.MULTILINE))

    own = event_type.model_fields.keys() - Event.model_fields.keys() - {"originator_topic"}
    marks = {name: event_type.model_fields[name].metadata for name in own}
    assert told == {
        name: "sealed" if any(isinstance(mark, PersonalMark) for mark in found) else "clear"
        for name, found in marks.items()
    }
    assert f"Schema {event_type.class_version}." in section_of(event_type.TOPIC)


def test_no_section_tells_of_an_event_that_is_not_there() -> None:
    assert set(re.findall(r"^### (\w+)$", EVENTS, re.MULTILINE)) == event_types().keys()


@pytest.mark.parametrize(
    "page", sorted(DOCS.parent.glob("*.md")) + sorted(DOCS.rglob("*.md")), ids=lambda page: page.name
)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []
