"""
Mapping files, rows of foreign files, and what becomes of them.
"""

import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.common.contracts.clocks import load_calendar
from services.common.contracts.ids import keyed_request_id
from services.common.contracts.vocabulary import CLOSES_AS, Outcome, Status
from services.reporting.figures.facts import fact_of
from services.reporting.history.importing import RefusalList, take_over
from services.reporting.history.mapping import BadValue, BrokenMapping, Column, Times, load_mapping, slug_of
from services.reporting.history.model import HISTORY, HistoricRequest, event_of, restored
from services.reporting.history.reading import Reader, Refusal, Table, UnreadableFile
from services.reporting.projections import ISTANBUL, Document, body_of, fold

MAPPING: Mapping[str, Any] = {
    "source": "eski",
    "city": {"tr": "Kent", "en": "Town"},
    "time": {"zone": "Europe/Istanbul"},
    "columns": {
        "id": "no",
        "received_at": "geldi",
        "closed_at": "bitti",
        "resolve_by": "hedef",
        "channel": {"column": "kanal", "values": {"Telefon": "phone"}, "default": "import"},
        "department": {"column": "birim", "slug": True},
    },
}
HEADER = "no,geldi,hedef,bitti,kanal,birim"
RECEIVED_AT = datetime(2011, 7, 1, 9, 0, tzinfo=UTC)


def mapping_file(folder: Path, **changes: Any) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump({**MAPPING, **changes}, allow_unicode=True), encoding="utf-8")
    return path


def columns(**changes: Any) -> dict[str, Any]:
    return {"columns": {**MAPPING["columns"], **changes}}


def read(folder: Path, text: str, **changes: Any) -> list[HistoricRequest | Refusal]:
    mapping = load_mapping(mapping_file(folder, **changes))
    path = folder / "old.csv"
    path.write_text(text, encoding="utf-8")
    with Table(path, mapping) as table:
        return list(table.read(Reader(mapping, lambda name: keyed_request_id(b"secret", mapping.source, name))))


def request(**changes: Any) -> HistoricRequest:
    given = {"source": "eski", "request_id": "7XK29MQ4T3BDM", "received_at": RECEIVED_AT, "channel": "phone"}
    return HistoricRequest.model_validate(given | changes)


def document_of(data: HistoricRequest) -> Document:
    document = fold(None, event_of(data))
    assert document is not None
    return document


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "Eski Sistem"}, ["source"]),
        ({"time": {"zone": "Europe/Samsun"}}, ["time.zone", "Europe/Samsun", "Europe/Istanbul"]),
        (columns(channel={"column": "kanal", "values": {"Telefon": "telefon"}}), ["channel", "'telefon'", "phone"]),
        (columns(on_time={"column": "x", "values": {"evet": "yes"}}), ["on_time", "'yes'", "True"]),
        (columns(status={"value": "resolved"}), ["status", "'resolved'", "in_progress"]),
        (columns(id={"column": "no", "value": "1"}), ["columns.id", "either", "`column`", "`value`"]),
        (columns(text="metin"), ["columns.text"]),
        ({"columns": {"id": "no"}}, ["columns.received_at"]),
        ({"departments": {"Fen İşleri": {"tr": "a", "en": "b"}}}, ["departments"]),
    ],
)
def test_what_is_wrong_with_a_mapping_is_said_by_its_entry(
    tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(BrokenMapping) as caught:
        load_mapping(mapping_file(tmp_path, **changes))

    assert all(word in str(caught.value) for word in ["mapping.yaml", *words])


def test_a_column_that_the_file_does_not_have_is_named_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(BrokenMapping, match=r"columns\.department.*'birim'.*no, geldi, hedef, bitti, kanal$"):
        read(tmp_path, "no,geldi,hedef,bitti,kanal\n")


@pytest.mark.parametrize(
    ("column", "text", "meaning"),
    [
        ({"values": {"A": "x"}}, " A ", "x"),
        ({"values": {"A": "x"}, "default": "y"}, "B", "y"),
        ({"values": {"A": "x"}, "default": None}, "", None),
        ({"values": {"A": "x"}}, "", None),
        ({"values": {"": "none"}}, "", "none"),
        ({"starts": {"Case": "x", "Case Closed": "y"}}, "Case Closed now", "x"),
        ({"values": {"Case": "w"}, "starts": {"Case": "x"}}, "Case", "w"),
        ({"slug": True}, "Yol / Kaldırım ", "yol-kaldirim"),
        ({}, " as it is ", "as it is"),
    ],
)
def test_a_value_means_what_the_mapping_says(column: dict[str, Any], text: str, meaning: object) -> None:
    assert Column(column="c", **column).of({"c": text}) == meaning


def test_a_value_that_means_nothing_is_said_with_those_that_do() -> None:
    with pytest.raises(BadValue, match="'C' is none of A, B"):
        Column(column="c", values={"A": 1}, starts={"B": 2}).of({"c": "C"})


@given(st.text(max_size=200))
def test_a_code_made_of_any_name_is_a_code(text: str) -> None:
    try:
        slug = slug_of(text)
    except BadValue:
        return
    assert request(service_code=slug).service_code == slug


@pytest.mark.parametrize(
    ("times", "text", "moment"),
    [
        (Times(zone="America/New_York"), "2011-07-01 09:00:00", datetime(2011, 7, 1, 13, 0, tzinfo=UTC)),
        (
            Times(zone="America/New_York", keep_wall_clock=True),
            "2011-07-01 09:00:00",
            datetime(2011, 7, 1, 9, 0, tzinfo=ISTANBUL),
        ),
        (
            Times(zone="America/New_York", keep_wall_clock=True),
            "2011-07-01T13:00:00Z",
            datetime(2011, 7, 1, 9, 0, tzinfo=ISTANBUL),
        ),
        (Times(zone="Europe/Istanbul", format="%d.%m.%Y %H:%M"), "01.07.2011 12:00", RECEIVED_AT),
    ],
)
def test_a_time_is_read_by_the_clocks_of_its_city(times: Times, text: str, moment: datetime) -> None:
    assert times.read(text) == moment


def test_a_row_becomes_a_request(tmp_path: Path) -> None:
    (found,) = read(tmp_path, f"{HEADER}\n17,2011-07-01 12:00,2011-07-02 12:00,2011-07-01 15:00,Telefon,Fen İşleri\n")

    assert found == request(
        request_id=keyed_request_id(b"secret", "eski", "17"),
        department="fen-isleri",
        closed_at="2011-07-01T12:00:00Z",
        resolve_by="2011-07-02T09:00:00Z",
        outcome="resolved",
    )


@pytest.mark.parametrize(
    ("row", "refusal"),
    [
        (",2011-07-01,,,Telefon,Fen", ("id", "empty")),
        ("17,,,,Telefon,Fen", ("received_at", "required")),
        ("17,01.07.2011,,,Telefon,Fen", ("received_at", "'01.07.2011' is no time written as iso")),
        ("17,1911-07-01,,,Telefon,Fen", ("received_at", "between 2000 and 2100")),
        ("17,2011-07-02,,2011-07-01,Telefon,Fen", ("row", "closed_at is before received_at")),
        ("17,2011-07-01,,,Telefon,!", ("department", "no letter")),
        ("17,2011-07-01", ("row", "has 2 cells, and the header 6")),
    ],
)
def test_a_row_that_cannot_be_taken_is_refused_by_line_field_and_reason(
    tmp_path: Path, row: str, refusal: tuple[str, str]
) -> None:
    good = "1,2011-07-01,,,Telefon,Fen"

    first, refused, last = read(tmp_path, f"{HEADER}\n{good}\n{row}\n2{good[1:]}\n")

    assert isinstance(first, HistoricRequest)
    assert isinstance(last, HistoricRequest)
    assert isinstance(refused, Refusal)
    assert (refused.line, refused.field) == (3, refusal[0])
    assert refusal[1] in refused.reason


def test_an_id_that_stands_twice_is_taken_once(tmp_path: Path) -> None:
    row = "1,2011-07-01,,,Telefon,Fen"

    first, second = read(tmp_path, f"{HEADER}\n{row}\n{row}\n")

    assert isinstance(first, HistoricRequest)
    assert second == Refusal(3, "id", "stands twice in the file")


def test_a_file_that_is_no_table_of_this_encoding_says_where(tmp_path: Path) -> None:
    mapping = load_mapping(mapping_file(tmp_path))
    path = tmp_path / "old.csv.gz"
    path.write_bytes(gzip.compress(f"{HEADER}\n".encode() + b"\xff\xfe\n"))

    with Table(path, mapping) as table, pytest.raises(UnreadableFile, match="line "):
        list(table.read(Reader(mapping, str)))


async def test_a_dry_run_reads_everything_and_lists_what_it_refuses(tmp_path: Path) -> None:
    mapping = load_mapping(mapping_file(tmp_path))
    path, refused = tmp_path / "old.csv", RefusalList(tmp_path / "refused.csv")
    path.write_text(f"{HEADER}\n1,2011-07-01,,,Telefon,Fen\n2,yarın,,,Telefon,Fen\n", encoding="utf-8")

    taken = await take_over(path, mapping, None, refused, lambda _: None)
    refused.close()

    assert str(taken) == "2 rows: 1 new, 0 known, 1 refused, received_at 1"
    assert refused.path.read_text(encoding="utf-8").splitlines() == [
        "line,field,reason",
        "3,received_at,'yarın' is no time written as iso",
    ]


@pytest.mark.parametrize(("judged", "on_time"), [(True, True), (True, False), (True, None), (False, None)])
@pytest.mark.parametrize("closed_at", [None, "2011-07-01T12:00:00Z", "2011-07-03T12:00:00Z"])
def test_the_sources_own_judgement_stands_of_open_ones_too(
    judged: bool, on_time: bool | None, closed_at: str | None
) -> None:
    closed = {"closed_at": closed_at, "outcome": "resolved"} if closed_at else {}

    document = document_of(request(judged=judged, on_time=on_time, resolve_by="2011-07-02T09:00:00Z", **closed))
    fact = fact_of(document, load_calendar())

    computed = {None: None, "2011-07-01T12:00:00Z": True, "2011-07-03T12:00:00Z": False}[closed_at]
    assert fact is not None
    assert fact["on_time"] is (on_time if judged else computed)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_closed_one_stands_where_its_outcome_says(outcome: Outcome) -> None:
    document = document_of(request(closed_at="2011-07-01T12:00:00Z", outcome=outcome, rating=4, reopened=2))

    assert (document["status"], document["outcome"]) == (CLOSES_AS[outcome], outcome)
    assert (document["closed"], document["rating"], document["reopened"]) == (True, 4, 2)
    assert document["hours_to_close"] == 3


@pytest.mark.parametrize("status", [Status.ASSIGNED, Status.IN_PROGRESS, Status.ACCEPTED])
def test_an_open_one_stands_where_its_source_says(status: Status) -> None:
    document = document_of(request(department="fen-isleri", status=status, responded_at="2011-07-01T10:00:00Z"))

    assert document["status"] == status
    assert document["first_response_at"] == datetime(2011, 7, 1, 10, 0, tzinfo=UTC)


def test_nothing_that_anybody_wrote_has_a_place_in_a_request() -> None:
    assert {name for name, text in body_of(document_of(request())).items() if isinstance(text, str)} == {
        "id", "channel", "adapter"
    }  # fmt: skip
    with pytest.raises(ValueError, match="text"):
        request(text="Ayşe Hanım aradı")


@pytest.mark.parametrize(("written", "expected"), [("Jamaica Plain", "Jamaica Plain"), ("KALE MAH.", "Kale")])
def test_a_neighbourhood_of_its_own_city_stays_as_it_is_written_however_often_it_is_folded(
    written: str, expected: str
) -> None:
    data = request(neighbourhood=written)
    kept = document_of(data)

    again = fold(kept, event_of(data))

    assert again is not None
    assert (kept["neighbourhood"], again["neighbourhood"]) == (expected, expected)


def test_what_is_archived_makes_the_same_document_again() -> None:
    data = request(closed_at="2011-07-01T12:00:00.123456Z", outcome="duplicate", lat=41.28, lon=36.33)

    event = restored(data.model_dump_json(exclude_none=True))

    assert event.topic == HISTORY
    assert fold(None, event) == fold(None, event, event_of(data)) == document_of(data)
