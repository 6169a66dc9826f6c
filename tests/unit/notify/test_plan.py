"""
What would be told: the question, the answer with its words, the command and the route.
"""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.vocabulary import Language, NotifyVia
from services.common.kit.auth import KeyVerifier
from services.common.kit.guard import People
from services.common.kit.http import install
from services.notify import manners, plan_api, plan_cli
from services.notify.domain import Person, Rules, State
from services.notify.messages import House
from services.notify.plan import foresee
from services.notify.plan_answer import Basis, answer
from services.notify.plan_document import DOCUMENT
from services.notify.plan_question import REQUEST, History, NotAsked, Question
from services.notify.plan_table import load_table
from services.notify.staff import load_staff
from services.notify.templates import load_templates
from services.notify.times import ISTANBUL
from tests.people import FakeTokens, signed_in

TABLE: Final = load_table()
NOON: Final = "2026-06-01T12:00:00+03:00"
BASIS: Final = Basis(
    Rules(own_addresses=frozenset({"+905051785501"})),
    load_staff(),
    load_templates(),
    House(
        {Language.TR: "İlkadım Belediyesi", Language.EN: "İlkadım Municipality"},
        "444 55 01",
        "https://talep.example",
        b"a secret of sixteen bytes",
    ),
)
ASSIGNED: Final = {"type": "RequestAssigned", "status": "assigned", "department": "zabita"}
SMS: Final = {"phone": "+905321112233"}


def question(**fields: Any) -> dict[str, Any]:
    return {"event": ASSIGNED, "contact": SMS, "now": NOON} | fields


def test_the_answer_has_the_words_that_the_citizen_would_read() -> None:
    (one,) = answer(Question.model_validate(question()), BASIS).messages
    assert (one.recipient, one.transition, one.channel, one.template) == ("citizen", "assigned", "sms", "assigned")
    assert one.send_at == datetime.fromisoformat("2026-06-01T12:00:30+03:00")
    assert one.text is not None
    assert "Zabıta Müdürlüğü" in one.text
    assert (one.subject, one.choices, one.meta_template) == (None, [], None)


def test_on_whatsapp_the_answer_has_metas_template_or_what_can_be_tapped() -> None:
    closed = TABLE.events["resolved"].event
    asked = question(event=closed, contact={"whatsapp_id": "905321112233"})
    (outside,) = answer(Question.model_validate(asked), BASIS).messages
    (inside,) = answer(Question.model_validate(asked | {"history": {"last_in_at": NOON}}), BASIS).messages
    assert outside.meta_template is not None
    assert outside.choices == []
    assert inside.meta_template is None
    assert len(inside.choices) == 6
    assert inside.survey


def test_a_mail_has_its_subject_and_a_partners_system_its_data() -> None:
    registered = {"type": "RequestRegistered", "status": "received", "adapter": "muhtar-app"}
    asked = question(event=registered, contact={"email": "ayse@example.com"}, partners=["muhtar-app"])
    system, mail = answer(Question.model_validate(asked), BASIS).messages
    assert mail.subject is not None
    assert (system.recipient, system.template, system.text) == ("partner:muhtar-app", None, None)
    assert system.data is not None
    assert system.data["data"]["request_id"] == REQUEST


def test_no_link_of_an_answer_opens_somebodys_own_page() -> None:
    real = House(BASIS.house.names, "444 55 01", "https://talep.example", b"a secret of sixteen bytes")
    row = foresee(Question.model_validate(question()), BASIS.rules, BASIS.staff)[0].row
    assert "?k=" in real.link(REQUEST, row), "what a citizen gets has the key"
    assert "?k=" not in answer(Question.model_validate(question()), BASIS).model_dump_json()


def test_what_is_said_in_a_conversation_opens_no_request() -> None:
    real = House(BASIS.house.names, "444 55 01", "https://talep.example", b"a secret of sixteen bytes")
    row = foresee(Question.model_validate(question()), BASIS.rules, BASIS.staff)[0].row
    said = replace(row, transition="say_added", about=REQUEST)  # to whoever named the number, which may be public
    assert real.link(REQUEST, said) == f"https://talep.example/t/{REQUEST}"


def test_what_is_not_sent_says_why() -> None:
    (unsent,) = answer(Question.model_validate(question(contact={"erased": True})), BASIS).messages
    assert (unsent.suppressed, unsent.failed, unsent.send_at) == ("erased", None, None)
    (failed,) = answer(Question.model_validate(question(contact={"late": True})), BASIS).messages
    assert (failed.suppressed, failed.failed) == (None, "contact_missing")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (question(event={}), "event.type"),
        (question(event=ASSIGNED | {"status": "assignd"}), "event.status"),
        (question(event=ASSIGNED | {"kapı": "5"}), "event.kapı"),
        (question(event=ASSIGNED | {"department": "Zabıta!"}), "event.department"),
        (question(event=ASSIGNED | {"request_id": "1"}), "event.request_id"),
        (question(event={"type": "MessageWanted", "say": "hello"}), "event.say"),
        (question(history={"events": [{"type": "X"}]}), "history.events.0.type"),
        (question(history={"events": [ASSIGNED]}), "history.events.0.occurred_at"),
        (question(history={"events": [TABLE.events["says"].event]}), "history.events.0.occurred_at"),
    ],
)
def test_a_wrong_event_is_refused_by_its_field(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(NotAsked) as refused:
        answer(Question.model_validate(asked), BASIS)
    assert [name for name, _ in refused.value.errors] == [field]


def test_nobody_is_known_by_another_id_than_the_contacts_own() -> None:
    other = question(event=ASSIGNED | {"contact_id": "c_" + "1" * 32})
    assert answer(Question.model_validate(other), BASIS) == answer(Question.model_validate(question()), BASIS)


QUESTIONS: Final = st.builds(
    lambda event, more, contact, before, minutes, **history: Question(
        event=event.event | (more if event.event["type"] != "MessageWanted" else {}),
        contact=contact.has,
        history=History(
            events=tuple(
                one.event | {"occurred_at": datetime.fromisoformat(NOON) + timedelta(minutes=minutes - ago)}
                for one, ago in before
            ),
            **history,
        ),
        now=datetime.fromisoformat(NOON) + timedelta(minutes=minutes),
        partners=frozenset({"muhtar-app"}),
    ),
    st.sampled_from([*TABLE.events.values()]),
    st.sampled_from([{}, {"emergency": True}]),
    st.sampled_from([*TABLE.contacts.values()]),
    st.lists(
        st.tuples(
            st.sampled_from([one for one in TABLE.events.values() if one.event["type"] != "MessageWanted"]),
            st.integers(0, 2_000),
        ),
        max_size=4,
    ),
    st.integers(0, 3_000),
    told_today=st.integers(0, 6),
    stopped=st.booleans(),
)


@settings(max_examples=80)
@given(QUESTIONS)
def test_whatever_is_asked_every_message_ends_and_none_disturbs_the_night(asked: Question) -> None:
    for one in foresee(asked, BASIS.rules, BASIS.staff):
        assert one.row.state in (State.SENT, State.FAILED, State.SUPPRESSED)
        if one.at is None:
            continue
        assert one.at >= asked.now
        assert not (one.row.for_citizen and asked.contact is None)
        free = manners.exempt(one.row, Person(), one.at, BASIS.rules)
        if one.row.for_citizen and not free:
            assert time(8) <= one.at.astimezone(ISTANBUL).time() < time(21)


# --- the command ---


def run(monkeypatch: pytest.MonkeyPatch, text: str, *arguments: str) -> int:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    return plan_cli.run(arguments, BASIS)


def test_the_command_says_when_on_which_channel_and_in_which_words(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = question(now="2026-06-01T22:30:00+03:00")
    assert run(monkeypatch, json.dumps(asked)) == 0
    out = capsys.readouterr().out
    assert out.startswith("02.06.2026 08:00:00 · citizen · sms · assigned\n  İlkadım Belediyesi: ")


def test_the_command_reads_a_file_and_answers_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "event.json"
    file.write_text(plan_cli.EXAMPLE, encoding="utf-8")
    assert run(monkeypatch, "", "--event", str(file), "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["messages"]
    assert one["send_at"] == "2026-06-02T05:00:00Z"


def test_the_command_says_that_nobody_is_told_and_why_something_is_not_sent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, json.dumps(question(event={"type": "NoteAdded"}))) == 0
    assert "Nobody is told" in capsys.readouterr().out
    assert run(monkeypatch, json.dumps(question(contact=None))) == 0
    assert capsys.readouterr().out == "citizen · assigned · gitmez / not sent: no_contact\n"


@pytest.mark.parametrize(
    ("text", "arguments", "error"),
    [
        ("{", (), "Invalid JSON"),
        ("{}", (), "event: Field required"),
        (json.dumps(question(now="2026-06-01")), (), "now: "),
        (json.dumps(question(contact={"phon": "1"})), (), "contact.phon: "),
        (json.dumps(question(event={"type": "x"})), (), "event.type: must be one of RequestRegistered"),
        ("", ("--event", "/nowhere/event.json"), "--event: No such file"),
    ],
)
def test_the_command_names_the_field_and_exits_2(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    text: str,
    arguments: tuple[str, ...],
    error: str,
) -> None:
    assert run(monkeypatch, text, *arguments) == 2
    said = capsys.readouterr()
    assert error in said.err
    assert said.out == ""


def test_the_command_writes_the_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "telling.md"
    assert run(monkeypatch, "", "--table", str(page)) == 0
    assert page.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


# --- the route ---


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async def ready() -> dict[str, object]:
        return {"ready": True}

    app = FastAPI()
    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(404))) as keys:
        app.state.people = People(KeyVerifier(keys, "http://intake"), FakeTokens(), "http://notify", "http://reporting")
        app.state.basis = BASIS
        install(app, ready=ready)
        app.include_router(plan_api.router)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client:
            yield client


async def test_operators_and_admins_ask_and_others_do_not(http: httpx.AsyncClient) -> None:
    for role in ("operator", "admin"):
        answered = await http.post("/v1/plan", json=question(), headers=signed_in(role).headers)
        assert answered.status_code == 200
        assert answered.json()["messages"][0]["channel"] == NotifyVia.SMS
    for role in ("department", "manager"):
        refused = await http.post("/v1/plan", json=question(), headers=signed_in(role).headers)
        assert refused.status_code == 403
    assert (await http.post("/v1/plan", json=question())).status_code == 401


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (question(now="2126-06-01T12:00:00Z"), "now"),
        (question(contact={"phon": "1"}), "contact.phon"),
        (question(event=ASSIGNED | {"status": "x"}), "event.status"),
        (question(history={"told_today": -1}), "history.told_today"),
        (question(event=ASSIGNED | {"public_text": "\ud800"}), "event"),
        (question(history={"events": [ASSIGNED | {"\ud800": 1}]}), "history.events.0"),
    ],
)
async def test_a_wrong_question_is_refused_by_its_field(
    http: httpx.AsyncClient, asked: dict[str, Any], field: str
) -> None:
    sent = signed_in("operator").headers | {"Content-Type": "application/json"}
    refused = await http.post("/v1/plan", content=json.dumps(asked), headers=sent)
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == [field]
