"""
What a department sees in its terminal, and what it is told when something is wrong.
"""

import json
import unicodedata
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.department import show, talk
from deploy.department.__main__ import parser, update_of
from deploy.terminal import ToolError, bootstrap_servers, safe, safe_json, settings
from services.common.contracts.envelope import Received, decode
from services.common.contracts.events import (
    FollowerAdded,
    Lifecycle,
    MasterProgressed,
    NoteAdded,
    ReplyReceived,
    RequestAssigned,
    RequestEscalated,
    RequestReopened,
    StatusChanged,
    UpdateRefused,
    UpdateSubmitted,
)
from services.common.contracts.ids import random_request_id
from services.common.contracts.vocabulary import STATUS_LABELS, Action, Priority, RefusalReason, Status
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


def told(model: type[Lifecycle], status: str, **fields: Any) -> str:
    held: dict[str, Any] = {"department": "fen-isleri", "service_code": "yol-cukur", "priority": "high"}
    return shown(model(**({"request_id": R, "seq": 7, "occurred_at": NOON, "status": status} | held | fields)))


M = "FAH52HZNRP57N"


@pytest.mark.parametrize(
    ("model", "status", "fields", "says"),
    [
        (StatusChanged, "scheduled", {"planned_for": NOON + timedelta(days=2)}, "plan: 03.06. 12:00"),
        (StatusChanged, "waiting_citizen", {"question": "Hangi sokak?"}, "soru: Hangi sokak?"),
        (
            StatusChanged,
            "waiting_external",
            {"referred_to": {"body": "SASKİ", "on": "2026-05-29", "reference": "2026/7"}},
            "kurum: SASKİ, 29.05.2026, no 2026/7",
        ),
        (
            StatusChanged,
            "referred",
            {"referred_to": {"body": "TEDAŞ"}, "public_text": "Yazıldı."},
            "kurum: TEDAŞ · Yazıldı.",
        ),
        (StatusChanged, "in_progress", {"reply": "Çınar Sk.", "note": "ekip 3"}, "yanıt: Çınar Sk. · not: ekip 3"),
        (NoteAdded, "accepted", {"note": "anahtar bekçide"}, "not: anahtar bekçide"),
        (ReplyReceived, "accepted", {"reply": "hâlâ açık"}, "yanıt: hâlâ açık"),
        (RequestReopened, "reopened", {"reason": "yine açıldı", "text": "çukur"}, "(yine açıldı) çukur"),
        (StatusChanged, "in_progress", {"parts": 3}, "3 alt talep"),
        (
            RequestAssigned,
            "assigned",
            {"parent_id": R, "request_id": f"{R}.2", "text": "çukur"},
            "çukur · ana talep: 6KJG-KZA7-CFKH-7",
        ),
        (StatusChanged, "duplicate", {"master_id": M}, "asıl talep: FAH5-2HZN-RP57-N"),
        (FollowerAdded, "accepted", {"follower": M, "followers": 2}, "mükerrer: FAH5-2HZN-RP57-N · 2 mükerrer"),
        (
            MasterProgressed,
            "duplicate",
            {"master_status": "resolved", "master_seq": 9, "master_id": M},
            "asıl talep: Çözüldü · asıl talep: FAH5-2HZN-RP57-N",
        ),
        (RequestAssigned, "assigned", {"team": "vefa-1", "text": "alışveriş"}, "alışveriş · ekip: vefa-1"),
    ],
)
def test_a_line_ends_with_what_the_event_is_about(
    model: type[Lifecycle], status: str, fields: dict[str, Any], says: str
) -> None:
    assert told(model, status, **fields).endswith(f"  {says}")


@pytest.mark.parametrize("status", list(Status))
def test_every_state_stands_whole_in_its_column(status: Status) -> None:
    assert f"  {STATUS_LABELS[status].tr}  " in told(StatusChanged, status)


@pytest.mark.parametrize(
    ("clock", "level", "overdue", "says"),
    [
        ("acceptance", "department", False, "üstlenme süresi doluyor (01.06. 14:00): birime bildirildi"),
        ("plan", "department", True, "planlanan zaman doldu (01.06. 14:00): birime bildirildi"),
        ("resolution", "head", True, "çözüm süresi doldu (01.06. 14:00): müdüre bildirildi"),
        ("legal", "deputy_mayor", True, "yasal süre doldu (01.06. 14:00): başkan yardımcısına bildirildi"),
    ],
)
def test_an_escalation_is_red_and_says_which_clock_and_who_was_told(
    clock: str, level: str, overdue: bool, says: str
) -> None:
    event = RequestEscalated(
        request_id=R,
        seq=5,
        status=Status.ASSIGNED,
        department="fen-isleri",
        occurred_at=NOON,
        clock=clock,
        level=level,
        step=1,
        due_at=NOON + timedelta(hours=2),
        overdue=overdue,
    )
    row = show.line("fen-isleri", event)
    assert row.plain.endswith(says)
    styles = {row.plain[span.start : span.end].strip(): str(span.style) for span in row.spans}
    assert (styles[says], styles["RequestEscalated"]) == ("red", "bold red")


def test_what_is_over_is_not_shown_as_if_it_were_to_come() -> None:
    past = {"planned_for": NOON, "question": "Hangi sokak?", "referred_to": {"body": "SASKİ"}}
    line = told(StatusChanged, "resolved", public_text="Bitti.", **past)
    assert line.endswith("  Bitti.")


def test_the_number_of_a_part_stands_whole_in_its_column() -> None:
    assert "6KJG-KZA7-CFKH-7.12  RequestAssigned" in shown(assigned(request_id=f"{R}.12", parent_id=R))


def test_what_a_citizen_wrote_cannot_reach_the_terminal_as_a_command() -> None:
    for fields in ({"note": NASTY}, {"reply": NASTY}, {"question": NASTY, "status": "waiting_citizen"}):
        assert not any(unicodedata.category(c).startswith("C") for c in shown(assigned(**fields)))
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


COMMANDS: dict[str, tuple[list[str], dict[str, Any]]] = {  # the shortest command line, and what it asks for
    "accept": ([], {}),
    "start": ([], {}),
    "reject": (["--note-internal", "n"], {"note_internal": "n"}),
    "transfer": (["--to", "fen-isleri"], {"to": "fen-isleri"}),
    "schedule": (["--on", "2026-06-03T09:00"], {"planned_for": datetime(2026, 6, 3, 6, 0, tzinfo=UTC)}),
    "ask": (["--question", "q"], {"question": "q"}),
    "wait": (["--body", "SASKİ"], {"referred_to": {"body": "SASKİ", "on": None, "reference": None}}),
    "extend": (["--note-public", "p"], {"note_public": "p"}),
    "split": (
        ["--part", "zabita:hatali-park", "--part", ":yol-cukur:asfalt: sıcak"],
        {
            "parts": (
                {"to": "zabita", "service_code": "hatali-park", "note": None},
                {"to": None, "service_code": "yol-cukur", "note": "asfalt: sıcak"},
            )
        },
    ),
    "resolve": (["--note-public", "p"], {"note_public": "p", "outcome": "resolved"}),
    "refer": (
        ["--body", "SASKİ", "--note-public", "p", "--written-on", "2026-05-29", "--reference", "7"],
        {"note_public": "p", "referred_to": {"body": "SASKİ", "on": date(2026, 5, 29), "reference": "7"}},
    ),
    "duplicate": (["--master", "fah5-2hzn-rp57-n"], {"master": M}),
    "cancel": (["--note-internal", "n"], {"note_internal": "n"}),
    "reopen": (["--note-internal", "n"], {"note_internal": "n"}),
    "note": (["--note-internal", "n"], {"note_internal": "n"}),
}


def asked(*command: str) -> UpdateSubmitted:
    return update_of(parser().parse_args([*command, "--update-id", "u"]), NOON)


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_command_and_what_it_asks_for_is_a_record(action: str) -> None:
    options, fields = COMMANDS[action]
    update = asked(action, "zabita", "6kjg kza7 cfkh 7.3", *options)
    given_ = update.model_dump(exclude_none=True, exclude_defaults=True)
    base = {"request_id": f"{R}.3", "update_id": "u", "action": action, "submitted_at": NOON}
    assert UpdateSubmitted(**given_) == UpdateSubmitted(**(base | fields))
    record = talk.update_record("zabita", update)
    back = decode(record.topic, record.key, record.value, record.headers)
    assert (back.data, record.key, back.meta.subject, back.meta.correlation_id) == (update, R.encode(), f"{R}.3", R)


def test_what_was_seen_goes_with_every_action_and_photos_with_those_that_show_something() -> None:
    photos = ["a_" + "1" * 32, "a_" + "2" * 32]
    for action in Action:
        seen = asked(action, "zabita", R, *COMMANDS[action][0], "--seen", "7")
        assert (seen.expected_seq, seen.photos) == (7, ())
    shown = asked("start", "zabita", R, "--photo", photos[0], "--photo", photos[1])
    assert shown.photos == tuple(photos)
    with pytest.raises(SystemExit):
        asked("transfer", "zabita", R, "--to", "fen-isleri", "--photo", photos[0])
    with pytest.raises(ToolError, match="expected_seq"):
        asked("accept", "zabita", R, "--seen", "0")


@pytest.mark.parametrize("action", [action for action in Action if COMMANDS[action][0]])
def test_what_an_action_needs_is_asked_for_before_anything_is_sent(action: str) -> None:
    options = COMMANDS[action][0]
    needed = {name for name in options if name.startswith("--")} - {"--written-on", "--reference"}
    for left_out in needed:
        rest = [
            word for name, value in zip(options[::2], options[1::2], strict=True) if name != left_out
            for word in (name, value)
        ]  # fmt: skip
        with pytest.raises(SystemExit):
            parser().parse_args([action, "zabita", R, *rest])


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (["accept", "zabita", "6KJG"], "13 characters"),
        (["accept", "zabita", f"{R}.0"], "after the dot"),
        (["schedule", "zabita", R, "--on", "yarın"], "2026-06-03T09:00"),
        (["schedule", "zabita", R, "--on", "1026-06-03T09:00"], "planned_for: .* between 2000 and 2100"),
        (["transfer", "zabita", R, "--to", "fenisleri"], "perhaps: fen-isleri"),
        (["split", "zabita", R, "--part", "zabita"], "2 to 10 parts"),
        (["split", "zabita", R, *["--part", "zabita"] * 11], "2 to 10 parts"),
        (["split", "zabita", R, "--part", "zabita", "--part", "::x"], "department or a service"),
        (["split", "zabita", R, "--part", "zabita", "--part", "zabita:hatali-par"], "perhaps: hatali-park"),
        (["refer", "zabita", R, "--body", "x", "--note-public", "p", "--written-on", "dün"], "on: .* date"),
        (["duplicate", "zabita", R, "--master", f"{R}.1"], "13 characters"),
    ],
)
def test_what_is_not_as_it_should_be_is_said_before_anything_is_sent(command: list[str], why: str) -> None:
    with pytest.raises(ToolError, match=why):
        asked(*command)


def test_a_time_with_a_zone_keeps_it_and_one_without_is_istanbuls() -> None:
    assert talk.moment("2026-06-03T09:00Z") == talk.moment("2026-06-03T12:00")


def test_the_broker_comes_from_the_environment_or_the_run_folder_or_one_is_told_what_to_do(tmp_path: Path) -> None:
    assert bootstrap_servers({"KAFKA_BOOTSTRAP_SERVERS": "a:1"}) == "a:1"
    with pytest.raises(ToolError, match="make up"):
        bootstrap_servers({"RUN_DIR": str(tmp_path)})
    (tmp_path / "env").write_text("API_KEY=x\nKAFKA_BOOTSTRAP_SERVERS='b:2'\n")
    assert bootstrap_servers({"RUN_DIR": str(tmp_path)}) == "b:2"


def test_the_run_folder_that_is_named_is_meant_also_where_another_stacks_env_file_was_sourced(tmp_path: Path) -> None:
    sourced = {"RUN_DIR": str(tmp_path), "KAFKA_BOOTSTRAP_SERVERS": "old:1", "INTAKE_DATA_DIR": "/old"}
    assert bootstrap_servers(sourced) == "old:1"  # no stack was made there
    (tmp_path / "env").write_text("API_KEY=x\n")
    with pytest.raises(ToolError, match="names no broker"):
        settings(sourced)
    (tmp_path / "env").write_text("KAFKA_BOOTSTRAP_SERVERS=new:2\nINTAKE_DATA_DIR=/new\n")
    assert settings(sourced) == {"KAFKA_BOOTSTRAP_SERVERS": "new:2", "INTAKE_DATA_DIR": "/new"}


def test_no_clock_is_hidden_in_what_is_shown() -> None:
    assert show.line("fen-isleri", assigned(occurred_at=datetime(2026, 1, 1, tzinfo=UTC))).plain.startswith(
        "01.01. 03:00"
    )
