"""
The classifier inside routing's decisions: when it decides, when it only offers, and what danger does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from services.common.contracts.catalogue import catalogue
from services.common.contracts.envelope import Record
from services.common.contracts.events import Event, RequestAssigned, RequestReceived
from services.common.contracts.vocabulary import DecidedBy, Priority, Status
from services.routing import classifier
from services.routing.case import Case, Rules
from services.routing.choosing import choose
from services.routing.classifier import BrokenModel, Candidate, Opinion
from services.routing.domain import better_place, decide
from services.routing.drift import Drift
from services.routing.handler import Handler
from services.routing.opinions import Remembering, read_classifier, verdict
from services.routing.rules import RuleBook
from services.routing.rules_form import ServiceRule
from services.routing.settings import RoutingSettings
from services.routing.urgency import looks_urgent
from tests.builders import CALENDAR, NOON, delivery, read, received, request, update

KNOWN = catalogue()
BOOK = RuleBook([ServiceRule(name="cukur", words=("çukur",), service="yol-cukur")], [], [], KNOWN)
R = "0000000000000"
SURE = (("gurultu", 0.8), ("komsu-sikayeti", 0.1), ("yol-cukur", 0.05))


@dataclass
class Stub:
    """
    A model that thinks the same of every text, and tells which it was asked about.
    """

    best: Sequence[tuple[str, float]] = SURE
    danger: float = 0.0
    department: float = 0.9
    version: str = "7"
    threshold: float = 0.7
    alarm: float = 0.5
    asked: list[str] = field(default_factory=list)

    def opinions(self, texts: Sequence[str], best: int = 3) -> list[Opinion]:
        self.asked += texts
        candidates = tuple(Candidate(service, confidence) for service, confidence in self.best[:best])
        return [Opinion(candidates, self.department, self.danger) for _ in texts]


def rules(model: Stub | None) -> Rules:
    return Rules(BOOK, CALENDAR, model=model)


def unsaid(**fields: Any) -> RequestReceived:
    return request(R, **({"service_code": None, "text": "Bir şeyler oluyor"} | fields))


def live(model: Stub | None, *inputs: Event) -> Case:
    case = Case(R)
    for data in inputs:
        case = decide(case, received(data), at=NOON, rules=rules(model))
    return case


def assigned(case: Case, topic: str = "requests.lifecycle") -> RequestAssigned:
    records = [record for entry in case.events for record in entry.records if record.topic == topic]
    found = [data for data in (read(record).data for record in records) if isinstance(data, RequestAssigned)]
    return found[-1]


# --- who decides ---


def test_the_model_decides_what_neither_the_sender_nor_a_rule_did() -> None:
    choice = choose(unsaid(), NOON, rules(Stub()))
    assert (choice.service, choice.department, choice.by, choice.rule) == ("gurultu", "zabita", "model", "model 7")
    assert (choice.model, choice.confidence) == ("7", 0.8)


@pytest.mark.parametrize(("code", "text", "by"), [("yol-cukur", "x", "explicit"), (None, "çukur", "rule")])
def test_the_senders_word_and_the_rules_come_before_the_model(code: str | None, text: str, by: str) -> None:
    choice = choose(unsaid(service_code=code, text=text), NOON, rules(Stub()))
    assert (choice.service, choice.by) == ("yol-cukur", by)
    assert (choice.model, choice.confidence, choice.candidates) == (None, None, None)


def test_without_a_model_what_no_rule_knows_goes_to_the_desk() -> None:
    choice = choose(unsaid(), NOON, rules(None))
    assert (choice.service, choice.by, choice.rule) == ("siniflandirilamadi", "rule", "no-rule-matched")


def test_it_is_the_department_that_has_to_be_sure() -> None:
    unsure = [("gurultu", 0.4), ("komsu-sikayeti", 0.3), ("yol-cukur", 0.2)]
    choice = choose(unsaid(), NOON, rules(Stub(unsure, department=0.7)))
    assert (choice.service, choice.confidence) == ("gurultu", 0.4)
    assert choose(unsaid(), NOON, rules(Stub(unsure, department=0.69))).service == "siniflandirilamadi"


@pytest.mark.parametrize(
    ("best", "department"),
    [
        ([("gurultu", 0.5), ("yol-cukur", 0.3), ("moloz-atik", 0.2)], 0.5),
        ([("siniflandirilamadi", 0.99), ("gurultu", 0.01)], 0.99),
        ([("kapatilmis-hizmet", 0.9), ("gurultu", 0.1)], 0.9),
        ([], 0.9),
    ],
    ids=["unsure", "none of them", "no longer in the catalogue", "nothing at all"],
)
def test_a_model_that_is_not_sure_leaves_it_to_the_desk_and_offers_its_best(
    best: list[tuple[str, float]], department: float
) -> None:
    choice = choose(unsaid(), NOON, rules(Stub(best, department=department)))
    assert (choice.service, choice.by, choice.confidence) == ("siniflandirilamadi", DecidedBy.MODEL, None)
    offered = [candidate.service_code for candidate in choice.candidates or ()]
    assert offered == [service for service, _ in best if service in KNOWN.services]


def test_confidence_has_four_digits_and_never_more_than_one() -> None:
    view = verdict(Stub([("gurultu", 1.0000001), ("yol-cukur", 0.12345678)]), "x", KNOWN)
    assert [candidate.confidence for candidate in view.candidates] == [1.0, 0.1235]


# --- danger ---


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"service_code": "yol-cukur"}, "danger"),
        ({"text": "çukur"}, "cukur+danger"),
        ({}, "model 7+danger"),
    ],
    ids=["explicit", "rule", "model"],
)
def test_danger_is_urgent_whatever_decided_the_service(fields: dict[str, Any], rule: str) -> None:
    choice = choose(unsaid(**fields), NOON, rules(Stub(danger=0.5)))
    assert (choice.priority, choice.emergency, choice.rule, choice.model) == (Priority.URGENT, True, rule, "7")
    assert not choose(unsaid(**fields), NOON, rules(Stub(danger=0.49))).emergency


def test_danger_on_the_desk_is_to_be_taken_up_as_fast_as_an_emergency() -> None:
    state = live(Stub([], danger=0.9), unsaid()).parent.state
    assert (state.status, state.priority, state.emergency) == (Status.TRIAGE, Priority.URGENT, True)
    assert state.due is not None
    assert state.due.accept_by is not None
    assert state.due.accept_by - NOON == Rules(BOOK, CALENDAR).policy.emergency_acceptance


def test_who_classifies_anew_says_whether_it_is_an_emergency() -> None:
    handed = update(R, "transfer", "basin-halkla-iliskiler", to="zabita", service_code="gurultu")
    state = live(Stub([], danger=0.9), unsaid(), handed).parent.state
    assert (state.department, state.emergency, state.priority) == ("zabita", False, Priority.HIGH)


@pytest.mark.parametrize("action", ["transfer", "reject"])
def test_who_only_passes_it_on_takes_no_danger_away(action: str) -> None:
    passed = update(R, action, "zabita", **({"to": "fen-isleri"} if action == "transfer" else {}))
    state = live(Stub(danger=0.9), unsaid(), passed).parent.state
    assert (state.emergency, state.priority) == (True, Priority.URGENT)


def test_the_parts_of_a_danger_are_dangerous_unless_their_service_is_named() -> None:
    parts = [{"to": "fen-isleri"}, {"to": "fen-isleri", "service_code": "yol-cukur"}]
    unnamed, named = live(Stub(danger=0.9), unsaid(), update(R, "split", "zabita", parts=parts)).parts
    assert (unnamed.state.emergency, unnamed.state.priority) == (True, Priority.URGENT)
    assert (named.state.emergency, named.state.priority) == (False, Priority.HIGH)


def test_a_text_that_tells_of_danger_goes_before_the_backlog() -> None:
    for danger, first in ((0.5, True), (0.49, False)):
        assert looks_urgent(BOOK, Stub(danger=danger))(received(unsaid())) is first


# --- what is said of it ---


def test_the_assignment_says_which_model_how_sure_and_what_else_it_might_be() -> None:
    case = live(Stub(), unsaid())
    for topic in ("requests.lifecycle", "requests.dept.zabita"):
        event = assigned(case, topic)
        assert (event.model, event.confidence, event.rule) == ("7", 0.8, "model 7")
        assert [(c.service_code, c.department, c.confidence) for c in event.candidates or ()] == [
            ("gurultu", "zabita", 0.8), ("komsu-sikayeti", "zabita", 0.1), ("yol-cukur", "fen-isleri", 0.05),
        ]  # fmt: skip


def test_a_persons_assignment_says_nothing_of_the_model() -> None:
    event = assigned(live(Stub(), unsaid(), update(R, "transfer", "zabita", to="fen-isleri", service_code="yol-cukur")))
    assert (event.decided_by, event.model, event.confidence, event.candidates) == (DecidedBy.PERSON, None, None, None)


def test_the_same_input_and_model_give_the_same_bytes() -> None:
    assert live(Stub(danger=0.9), unsaid()).events == live(Stub(danger=0.9), unsaid()).events


def test_another_model_may_find_a_better_place_for_what_the_model_placed() -> None:
    case = live(Stub(), unsaid())
    assert better_place(case, NOON, rules(Stub(version="8"))) is None
    alarmed = better_place(case, NOON, rules(Stub(danger=0.9)))
    assert alarmed is not None
    assert alarmed.emergency


# --- the model file, and looking once ---


def test_a_text_is_looked_at_once() -> None:
    stub = Stub()
    model = Remembering(stub)
    looks_urgent(BOOK, model)(received(unsaid()))
    decide(Case(R), received(unsaid()), at=NOON, rules=Rules(BOOK, CALENDAR, model=model))
    assert stub.asked == ["Bir şeyler oluyor"]
    assert (model.version, model.threshold, model.alarm) == ("7", 0.7, 0.5)


def test_a_missing_model_file_is_no_model_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    assert read_classifier(None) is None
    assert read_classifier(tmp_path / "none.npz") is None
    (tmp_path / "model.npz").write_bytes(b"not a model")
    with pytest.raises(BrokenModel, match=r"model\.npz"):
        read_classifier(tmp_path / "model.npz")


def test_the_models_own_file_is_the_settings_default() -> None:
    assert RoutingSettings().model_file == classifier.MODEL


# --- drift ---


def count(name: str, outcome: str) -> float:
    return REGISTRY.get_sample_value(name, {"outcome": outcome}) or 0


@pytest.mark.parametrize(
    ("model", "fields", "counted"),
    [
        (Stub(), {}, {"decided"}),
        (Stub([]), {}, {"abstained"}),
        (Stub(danger=0.9), {}, {"decided", "danger"}),
        (Stub(danger=0.9), {"service_code": "yol-cukur"}, {"danger"}),
        (Stub(), {"text": "çukur"}, set()),
    ],
    ids=["decided", "abstained", "danger", "explicit", "rule"],
)
def test_what_the_model_said_is_counted(model: Stub, fields: dict[str, Any], counted: set[str]) -> None:
    outcomes = ("decided", "abstained", "danger")
    before = {outcome: count("model_decisions_total", outcome) for outcome in outcomes}
    sure = REGISTRY.get_sample_value("model_confidence_count") or 0
    Drift(model, KNOWN).registered([live(model, unsaid(**fields))])
    after = {outcome: count("model_decisions_total", outcome) for outcome in outcomes}
    assert {outcome for outcome in outcomes if after[outcome] == before[outcome] + 1} == counted
    left = bool(counted & {"decided", "abstained"})
    assert REGISTRY.get_sample_value("model_confidence_count") == sure + left


@pytest.mark.parametrize(
    ("shadow", "outcome"),
    [
        (Stub(version="8", best=[("gurultu", 0.99)]), "agrees"),
        (Stub(best=[("yol-cukur", 0.9)]), "differs"),
        (Stub([]), "differs"),
        (Stub(danger=0.9), "differs"),
    ],
    ids=["same service", "another service", "one abstains", "one sees danger"],
)
def test_a_shadow_is_compared_and_decides_nothing(shadow: Stub, outcome: str) -> None:
    before = {name: count("model_shadow_total", name) for name in ("agrees", "differs")}
    case = live(Stub(), unsaid())
    Drift(Stub(), KNOWN, shadow).registered([case])
    Drift(Stub(), KNOWN, shadow).registered([live(Stub(), unsaid(service_code="yol-cukur"))])
    after = {name: count("model_shadow_total", name) for name in ("agrees", "differs")}
    assert after == {**before, outcome: before[outcome] + 1}
    assert case.parent.state.service_code == "gurultu"


class Memory:
    """
    The cases and the topics of a routing that never dies, in memory.
    """

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}

    async def load(self, ids: Iterable[str]) -> dict[str, Case]:
        return {number: self.cases[number] for number in ids if number in self.cases}

    async def save(self, cases: Iterable[Case]) -> None:
        self.cases |= {case.request_id: case for case in cases}

    async def publish(self, records: Sequence[Record]) -> None: ...

    async def mark_published(self, marks: dict[str, int]) -> None: ...


async def test_a_request_is_counted_when_it_is_registered_and_not_again_when_it_comes_again() -> None:
    before = count("model_decisions_total", "decided")
    memory: Any = Memory()
    handler = Handler(memory, memory, rules(Stub()), lambda: NOON, Drift(Stub(), KNOWN))
    for data in (update(R, "accept", "zabita"), unsaid(), unsaid(), update(R, "start", "zabita")):
        await handler([delivery(data)])
    assert memory.cases[R].parent.state.status == Status.IN_PROGRESS
    assert count("model_decisions_total", "decided") == before + 1
