"""
What a department sees in its terminal, and what it is told when something is wrong.
"""

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.department import show, talk
from deploy.department.__main__ import parser
from deploy.terminal import ToolError, bootstrap_servers, safe, safe_json
from services.common.contracts.envelope import Received, decode
from services.common.contracts.events import Lifecycle, RequestAssigned, UpdateRefused, UpdateSubmitted
from services.common.contracts.ids import random_request_id
from services.common.contracts.vocabulary import Action, Priority, RefusalReason, Status
from tests.builders import NOON, meta_of, update

R = "6KJGKZA7CFKH7"
NASTY = "bak \x1b[2J\x1b]0;title\x07\x9b31m \u202egizli\u200b\r\nikinci satır\x00"


def assigned(**fields: Any) -> RequestAssigned:
    given_: dict[str, Any] = {
        "request_id": R,
        "seq": 2,
        "status": "assigned",
        "department": "fen-isleri",
        "service_code": "yol-cukur",
        "priority": "high",
        "neighbourhood": "Kıran",
        "occurred_at": NOON,
        "due": {"first_response_at": NOON, "resolve_by": NOON + timedelta(days=4)},
        "text": "Sokakta çukur var",
    }
    return RequestAssigned(**(given_ | fields))


def shown(event: Lifecycle) -> str:
    return show.line("fen-isleri", event).plain


def test_a_line_shows_time_grouped_number_turkish_labels_place_due_and_text() -> None:
    line = shown(assigned())
    for part in ("01.06. 12:00:00", "6KJG-KZA7-CFKH-7", "RequestAssigned", "Birime iletildi", "yüksek"):
        assert part in line
    for part in ("Yolda çukur, bozuk asfalt", "Kıran", "05.06. 12:00", "Sokakta çukur var"):
        assert part in line


def test_an_emergency_a_loss_and_a_refusal_are_told_apart() -> None:
    assert "ACİL" in shown(assigned(emergency=True))
    assert "→ zabita" in shown(assigned(department="zabita", text=None))
    refused = UpdateRefused(
        request_id=R,
        seq=0,
        occurred_at=NOON,
        action=Action.ACCEPT,
        update_id="u",
        reason=RefusalReason.UNKNOWN_REQUEST,
        detail="no such request came in",
    )
    assert "accept: unknown_request: no such request came in" in shown(refused)


def test_what_a_citizen_wrote_cannot_reach_the_terminal_as_a_command() -> None:
    line = shown(assigned(text=NASTY, neighbourhood="\x1b[31m"))
    assert "bak ␛[2J␛]0;title␇31m gizli ikinci satır␀" in line
    assert not any(unicodedata.category(c).startswith("C") for c in line)


@pytest.mark.parametrize("width", [60, 120, 240])
def test_a_terminal_line_is_one_line_whatever_the_text(width: int) -> None:
    line = show.line("fen-isleri", assigned(text=NASTY + "漢" * 4_000), width)
    assert line.cell_len <= width
    assert line.plain.endswith("…")
    assert "\n" not in line.plain


@given(st.text())
def test_safe_text_has_no_control_no_direction_and_no_line_end(text: str) -> None:
    made = safe(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in made)
    assert safe(made) == made


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_safe_json_reads_back_as_it_was_and_holds_no_control(value: object) -> None:
    printed = safe_json(value)
    assert json.loads(printed) == value
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in printed)


def test_json_lines_hold_envelope_and_payload() -> None:
    event = assigned(text=NASTY)
    row = json.loads(show.as_json(Received("requests.dept.fen-isleri", meta_of(event), event)))
    assert (row["type"], row["request_id"], row["text"]) == ("RequestAssigned", R, NASTY)
    assert len(row["ce_id"]) == 32


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ({}, True),
        ({"statuses": frozenset({Status.ASSIGNED, Status.RESOLVED})}, True),
        ({"statuses": frozenset({Status.RESOLVED})}, False),
        ({"services": frozenset({"yol-cukur"})}, True),
        ({"services": frozenset({"yol-cokme"})}, False),
        ({"priorities": frozenset({Priority.HIGH})}, True),
        ({"priorities": frozenset({Priority.LOW})}, False),
        ({"emergency": True}, False),
    ],
)
def test_a_filter_asks_for_every_condition(conditions: dict[str, Any], wanted: bool) -> None:
    assert show.Filter(**conditions).wants(assigned()) is wanted


@pytest.mark.parametrize(("text", "ago"), [("30s", 30), ("15m", 900), ("2h", 7_200), ("3d", 259_200), ("now", 0)])
def test_since_takes_a_duration(text: str, ago: int) -> None:
    assert show.since(text, NOON) == NOON - timedelta(seconds=ago)


def test_since_takes_the_beginning_and_refuses_the_rest() -> None:
    assert show.since("beginning", NOON) is None
    for wrong in ("yesterday", "2w", "-1h", "h", "", "\x1b"):
        with pytest.raises(ToolError, match="15m, 2h, 3d"):
            show.since(wrong, NOON)


@pytest.mark.parametrize(
    ("typed", "meant"), [("fenisleri", "fen-isleri"), ("zabıta", "zabita"), ("parklar", "park-bahceler")]
)
def test_an_unknown_department_is_answered_with_the_nearest_ones(typed: str, meant: str) -> None:
    with pytest.raises(ToolError, match=meant):
        talk.department(typed)
    assert talk.department(meant) == meant


def test_an_update_is_the_same_record_for_the_same_update_id() -> None:
    one = update(random_request_id(), "accept", None)
    record = talk.update_record("zabita", one)
    assert record.topic == "updates.dept.zabita"
    back = decode(record.topic, record.key, record.value, record.headers)
    assert isinstance(back.data, UpdateSubmitted)
    assert back.meta.id == decode(*_parts(talk.update_record("zabita", one))).meta.id
    assert back.meta.id != decode(*_parts(talk.update_record("fen-isleri", one))).meta.id


def _parts(record: Any) -> tuple[Any, Any, Any, Any]:
    return record.topic, record.key, record.value, record.headers


def test_an_answer_is_told_in_words() -> None:
    assert talk.verdict(assigned()) == (True, "applied: Birime iletildi, now with fen-isleri")
    refused = UpdateRefused(
        request_id=R, seq=3, occurred_at=NOON, reason=RefusalReason.NOT_THE_HOLDER, detail="held by \x1bzabita"
    )
    assert talk.verdict(refused) == (False, "refused: not_the_holder: held by ␛zabita")


@pytest.mark.parametrize("command", [["resolve", "zabita", R], ["reject", "zabita", R], ["transfer", "zabita", R]])
def test_what_an_action_needs_is_asked_for_before_anything_is_sent(command: list[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(command)


def test_the_broker_comes_from_the_environment_or_the_run_folder_or_one_is_told_what_to_do(tmp_path: Path) -> None:
    assert bootstrap_servers({"KAFKA_BOOTSTRAP_SERVERS": "a:1"}) == "a:1"
    with pytest.raises(ToolError, match="make up"):
        bootstrap_servers({"RUN_DIR": str(tmp_path)})
    (tmp_path / "env").write_text("API_KEY=x\nKAFKA_BOOTSTRAP_SERVERS='b:2'\n")
    assert bootstrap_servers({"RUN_DIR": str(tmp_path)}) == "b:2"


def test_no_clock_is_hidden_in_what_is_shown() -> None:
    assert show.line("fen-isleri", assigned(occurred_at=datetime(2026, 1, 1, tzinfo=UTC))).plain.startswith(
        "01.01. 03:00"
    )
