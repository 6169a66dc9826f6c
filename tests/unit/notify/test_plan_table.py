"""
The table of what is told: every row is run through the code that works for real, and it leaves nothing out.
"""

from collections import Counter
from pathlib import Path
from typing import Final

import pytest

from services.common.contracts.vocabulary import Clock, Language, Level, NotifyVia, Outcome, Saying
from services.notify import transitions
from services.notify.domain import Reason, Rules
from services.notify.expected import EXPECTED
from services.notify.plan import Foreseen, foresee, line
from services.notify.plan_document import DOCUMENT, GLOSSARY, document
from services.notify.plan_question import TYPES
from services.notify.plan_table import BrokenTable, Table, TableRow, load_table
from services.notify.staff import load_staff
from services.notify.templates import template_for

TABLE: Final = load_table()
ROWS: Final = tuple(TABLE.rows())
RULES: Final = Rules(own_addresses=frozenset({"+905051785501"}))
STAFF: Final = load_staff()
NOT_PLANNED: Final = {  # what a provider says, what a row waits for, and what a morning's digest brings together
    Reason.BAD_ADDRESS,
    Reason.REFUSED,
    Reason.UNREACHABLE,
    Reason.UNKNOWN,
    Reason.QUIET_HOURS,
    Reason.DAILY_LIMIT,
    Reason.DIGEST,
}


def foreseen(row: TableRow) -> tuple[Foreseen, ...]:
    return foresee(TABLE.question(row), RULES, STAFF)


@pytest.fixture(scope="module")
def everything() -> list[Foreseen]:
    return [one for row in ROWS for one in foreseen(row)]


@pytest.mark.parametrize(
    "row", ROWS, ids=[f"{number}-{row.event}-{row.contact}" for number, row in enumerate(ROWS, start=1)]
)
def test_the_row_is_what_the_code_does(row: TableRow) -> None:
    now = TABLE.question(row).now
    assert [line(one, now) for one in foreseen(row)] == [*row.then]


def test_no_row_stands_twice() -> None:
    asked = Counter(row.model_copy(update={"then": ()}).model_dump_json() for row in ROWS)
    assert len(ROWS) >= 120
    assert [row for row, count in asked.items() if count > 1] == []


def test_all_that_is_named_is_used() -> None:
    used = {name for row in ROWS for name in (row.event, *(before.partition(" ")[0] for before in row.before))}
    assert used == set(TABLE.events)
    assert {row.contact for row in ROWS} == set(TABLE.contacts)


def test_every_type_of_event_occurs() -> None:
    assert {event.event["type"] for event in TABLE.events.values()} == set(TYPES)


def test_every_transition_and_every_saying_occurs(everything: list[Foreseen]) -> None:
    told = {value for name, value in vars(transitions).items() if name.isupper() and isinstance(value, str)}
    assert {one.row.kind for one in everything} == told | {f"say_{saying}" for saying in Saying}


def test_every_reason_that_planning_has_occurs(everything: list[Foreseen]) -> None:
    assert {one.row.reason for one in everything if one.at is None} == set(Reason) - NOT_PLANNED


def test_every_channel_occurs_both_ways_on_whatsapp_and_both_languages(everything: list[Foreseen]) -> None:
    sent = [one for one in everything if one.at is not None]
    written = {NotifyVia.WHATSAPP, NotifyVia.SMS, NotifyVia.EMAIL, NotifyVia.WEBHOOK}
    assert {one.row.channel for one in sent} == written
    assert {one.free for one in sent if one.row.channel is NotifyVia.WHATSAPP} == {True, False}
    assert {one.language for one in sent} == set(Language)


def test_every_outcome_clock_and_level_occurs(everything: list[Foreseen]) -> None:
    facts = [one.row.facts for one in everything]
    assert {one.outcome for one in facts} >= set(Outcome)
    assert {one.clock for one in facts} >= set(Clock)
    assert {one.level for one in facts} >= set(Level)


def test_every_template_is_used_but_for_closings_without_an_outcome_and_the_departments_digest(
    everything: list[Foreseen],
) -> None:
    used = {template_for(one.row) for one in everything if one.at is not None and not one.row.for_partner}
    assert set(EXPECTED) - used == {"closed", "digest"}


def test_it_is_night_and_the_limit_somewhere(everything: list[Foreseen]) -> None:
    lines = [text for row in ROWS for text in row.then]
    assert any(text.startswith("+1 08:00 ") for text in lines)
    assert any(text.startswith("+1 09:00 ") for text in lines)
    assert any(" +stars" in text for text in lines)


def test_the_document_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(TABLE), "python -m services.notify plan --table"


def test_the_document_has_every_row_in_turkish_words() -> None:
    rows, _, words = document(TABLE).partition(GLOSSARY)
    assert sum(one.startswith("| ") for one in rows.splitlines()) == len(ROWS) + len(TABLE.sections)
    assert [english for english in ("superseded", "not_wanted", "phone_only", "whatsapp/free") if english in rows] == []
    assert "| yenisi var: | superseded |" in words


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("contacts: {}\nevents: {}\n", "sections: Field required"),
        (
            "contacts: {}\nevents: {}\nsections: [{tr: a, en: b, rows: [{event: x, contact: y, then: []}]}]",
            "no event x",
        ),
        (
            "contacts: {}\nevents: {x: {tr: a, en: b, event: {}}}\n"
            "sections: [{tr: a, en: b, rows: [{event: x, contact: y, then: []}]}]",
            "no contact y",
        ),
        (
            "contacts: {}\nevents: {}\nsections: [{tr: a, en: b, rows: [{event: x, contact: y, at: 25:00, then: []}]}]",
            "rows.0.at",
        ),
        ("{", "ParserError"),
    ],
)
def test_a_broken_table_names_the_place(tmp_path: Path, text: str, place: str) -> None:
    file = tmp_path / "plan_table.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BrokenTable, match=place):
        load_table(file)


def test_the_table_is_checked_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="then"):
        Table.model_validate({"contacts": {}, "events": {}, "sections": [{"tr": "a", "en": "b", "rows": [{}]}]})
