"""
Which decisions of people become training messages, and what stands in them.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path

import pytest

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record, pack
from services.common.contracts.events import Event, Repeat, TimerDue
from services.routing import corrections
from services.routing.case import Case, Rules
from services.routing.corrections import Correction, correction, distinct
from services.routing.domain import decide
from services.routing.repository import case_from, row_of
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from services.routing.settings import RoutingSettings
from tests.builders import CALENDAR, NOON, received, request, update

BOOK = RuleBook([ServiceRule(name="cukur", words=("çukur",), service="yol-cukur")], [], [], catalogue())
RULES = Rules(BOOK, CALENDAR)
R = "0000000000000"
LATE = datetime(2026, 6, 1, 22, 30, tzinfo=UTC)  # the second of June in Samsun


def lived(*inputs: Event, at: datetime = NOON) -> Case:
    """
    A case as it comes back from the database.
    """
    case = reduce(lambda c, i: decide(c, received(i), at=at, rules=RULES), inputs, Case(R))
    return case_from(row_of(case, 1))


def by_rule(text: str = "Kaldırımda çukur var") -> Event:
    return request(R, text=text, service_code=None)


def given_to(service: str, department: str | None = "fen-isleri", to: str = "zabita") -> Event:
    return update(R, "transfer", department, to=to, service_code=service)


def told(case: Case) -> tuple[str, str] | None:
    made = correction(case)
    return (made.was, made.service) if made else None


def test_a_rule_s_service_that_a_person_changed_is_a_correction() -> None:
    assert told(lived(by_rule(), given_to("hatali-park"))) == ("yol-cukur", "hatali-park")


def test_so_is_what_a_person_classified_out_of_triage() -> None:
    case = lived(by_rule("Bir derdim var"), given_to("hatali-park", "basin-halkla-iliskiler"))
    assert told(case) == ("siniflandirilamadi", "hatali-park")


def test_and_what_a_person_decided_against_the_model() -> None:
    assert told(by_model(lived(by_rule(), given_to("hatali-park")))) == ("yol-cukur", "hatali-park")


def by_model(case: Case) -> Case:
    """
    The case as if the model had decided what the rule did.
    """

    def told_so(record: Record) -> Record:
        return replace(record, value=record.value and record.value.replace(b'"rule"', b'"model"', 1))

    events = (replace(entry, packed=pack([told_so(record) for record in entry.records])) for entry in case.events)
    return replace(case, events=tuple(events))


def test_the_last_service_that_people_decided_counts_and_the_first_of_the_machine() -> None:
    case = lived(
        by_rule("Bir derdim var"),
        given_to("hatali-park", "basin-halkla-iliskiler"),
        given_to("cop-alinmadi", "zabita", "temizlik-isleri"),
    )
    assert told(case) == ("siniflandirilamadi", "cop-alinmadi")


@pytest.mark.parametrize(
    "inputs",
    [
        [by_rule()],
        [request(R, service_code="yol-cukur"), given_to("hatali-park")],
        [by_rule(), update(R, "transfer", to="zabita")],
        [by_rule(), given_to("hatali-park"), update(R, "reject", "zabita")],
        [by_rule(), given_to("hatali-park"), given_to("yol-cukur", "zabita", "fen-isleri")],
        [by_rule(), given_to("hatali-park"), update(R, "cancel", "zabita")],
        [by_rule(), given_to("hatali-park"), update(R, "resolve", "zabita", outcome="invalid")],
        [by_rule(), given_to("hatali-park"), update(R, "split", "zabita")],
        [by_rule("  "), given_to("hatali-park", "basin-halkla-iliskiler")],
        [],
    ],
    ids=[
        "nobody changed it",
        "the sender chose the service",
        "another department, the same service",
        "with the desk again",
        "changed back",
        "cancelled",
        "invalid",
        "split",
        "no text of its own",
        "not registered",
    ],
)
def test_nothing_is_learnt_from_a_request(inputs: list[Event]) -> None:
    assert correction(lived(*inputs)) is None


WEEKLY = request(R, text="çukur her hafta", service_code=None, repeat=Repeat(every_days=7, until=date(2026, 8, 1)))
VISIT = TimerDue(request_id=R, timer="repeat", step=1, due_at=NOON)


def test_a_need_that_repeats_is_one_text_of_one_service_however_many_visits_it_has() -> None:
    case = lived(WEEKLY, given_to("hatali-park"), VISIT)
    assert len(case.parts) == 1
    assert told(case) == ("yol-cukur", "hatali-park")


def test_who_passes_on_a_visit_corrects_nothing() -> None:
    case = lived(WEEKLY, VISIT)
    (visit,) = case.parts
    passed = update(visit.request_id, "transfer", to="zabita", service_code="hatali-park")
    case = decide(case, received(passed), at=NOON, rules=RULES)
    assert case.parts[0].state.department == "zabita"
    assert correction(case) is None


def test_it_has_no_personal_data_and_the_day_in_samsun() -> None:
    case = lived(by_rule("Ben Ali Yılmaz, çukur var, 0532 123 45 67"), given_to("hatali-park"), at=LATE)
    made = correction(case)
    assert made is not None
    assert json.loads(made.line()) == {
        "text": "Ben ad, çukur var, telefon",
        "service": "hatali-park",
        "was": "yol-cukur",
        "emergency": False,
        "style": "correction",
        "origin": "correction 2026-06-02",
    }


def one(text: str, service: str = "hatali-park", day: int = 1) -> Correction:
    return Correction(text, service, "yol-cukur", False, date(2026, 6, day))


def test_of_the_same_text_the_last_word_stays() -> None:
    made = [one("Çukur, var!", "hatali-park", 3), one("cukur var", "moloz-atik", 2), one("başka", day=1)]
    assert [(m.text, m.service) for m in distinct(made)] == [("başka", "hatali-park"), ("Çukur, var!", "hatali-park")]


def test_what_was_corrected_before_the_day_asked_for_is_left_out() -> None:
    made = [one("a", day=1), one("b", day=2), one("c", day=3)]
    assert [m.text for m in distinct(made, date(2026, 6, 2))] == ["b", "c"]


def stored(monkeypatch: pytest.MonkeyPatch, made: Iterable[Correction]) -> RoutingSettings:
    async def read(settings: RoutingSettings) -> list[Correction]:
        return list(made)

    monkeypatch.setattr(corrections, "_read", read)
    return RoutingSettings()


def test_export_writes_lines_and_says_what_became_what(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = stored(monkeypatch, [one("a"), one("b"), one("c", "moloz-atik", 2)])
    file = tmp_path / "corrections.jsonl"
    assert corrections.run(["export", "--since", "2026-06-01", "--out", str(file)], settings) == 0
    assert [json.loads(line)["text"] for line in file.read_text(encoding="utf-8").splitlines()] == ["a", "b", "c"]
    assert file.stat().st_mode & 0o077 == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split() for line in err.splitlines()] == [
        ["2", "yol-cukur", "->", "hatali-park"],
        ["1", "yol-cukur", "->", "moloz-atik"],
        ["3", "corrections"],
    ]


def test_without_a_file_the_lines_come_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert corrections.run(["export"], stored(monkeypatch, [one("a")])) == 0
    assert json.loads(capsys.readouterr().out)["text"] == "a"


def test_a_file_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = stored(monkeypatch, [one("a")])
    assert corrections.run(["export", "--out", str(tmp_path / "no" / "such")], settings) == 1
    assert "--out" in capsys.readouterr().err


def test_another_command_is_told_how_to_use_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert corrections.run([], RoutingSettings()) == 2
    assert "corrections export" in capsys.readouterr().err


def test_the_database_finds_such_a_case_by_who_decided_last() -> None:
    row = row_of(lived(by_rule(), given_to("hatali-park")), 1)
    assert row["members"][0]["state"]["decided_by"] == "person"
