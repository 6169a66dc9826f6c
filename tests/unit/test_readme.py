"""
What README says of topics is what the processes do.
"""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.common.contracts.catalogue import catalogue
from services.common.contracts.topics import ALL_TOPICS
from services.intake.settings import IntakeSettings
from services.intake.worker import worker
from services.notify.worker import TOPICS as NOTIFY
from services.reporting.projector import TOPICS as REPORTING
from services.routing.__main__ import rules_of
from services.routing.handler import worker_spec
from services.routing.settings import RoutingSettings

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `([a-z.<>]+)` \| .* \| (.+) \| (.+) \|$", README, re.MULTILINE)
SLUG = next(iter(catalogue().departments))


def places(topic: str) -> str:
    return topic.replace(f".{SLUG}", ".<slug>")


def read_by(service: str) -> set[str]:
    """
    The topics of which README says that a service reads them.
    """
    return {name for name, _, readers in ROWS if re.search(rf"\b{service}\b", readers)}


@pytest.mark.parametrize("service", ["intake", "routing", "notify", "reporting"])
def test_the_table_of_topics_names_what_each_service_reads(service: str) -> None:
    match service:
        case "intake":
            topics = worker(IntakeSettings(id_secret=SecretStr("a secret of the tests"))).topics
        case "routing":
            settings = RoutingSettings()
            topics = worker_spec(settings, rules_of(settings)).topics
        case "notify":
            topics = tuple(topic.name for topic in NOTIFY)
        case _:
            topics = REPORTING
    assert read_by(service) == {places(topic) for topic in topics if "dept." not in topic or topic.endswith(f".{SLUG}")}


def test_the_table_of_topics_names_the_writer_that_the_contracts_name() -> None:
    writers = {name: writer for name, writer, _ in ROWS}
    ours = [topic for topic in ALL_TOPICS if "dept." not in topic.name]
    named = {topic.name: found[1] for topic in ours if (found := re.search(r"\((\w+)\)$", topic.title))}
    assert len(named) > 7
    assert {name: writers[name] for name in named} == named


def test_the_table_of_topics_has_them_all() -> None:
    there = {name for name, _, _ in ROWS}
    ours = {places(topic.name) for topic in ALL_TOPICS if "dept." not in topic.name or topic.name.endswith(f".{SLUG}")}
    assert {name for name in there if name != "<group>.dlq"} == {name for name in ours if not name.endswith(".dlq")}


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", README))))
def test_every_file_that_is_linked_exists(name: str) -> None:
    assert (Path(__file__).parents[2] / name).exists()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`make ([a-z-]+)", README))))
def test_every_command_of_make_that_is_named_exists(name: str) -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{name}:", makefile, re.MULTILINE)


def test_every_heading_that_is_linked_exists() -> None:
    headings = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= anchors
