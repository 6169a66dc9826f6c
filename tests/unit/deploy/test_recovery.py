import itertools
import stat
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.backup import summary
from deploy.recovery import order
from deploy.recovery.archive import Copied, Folder, Manifest, NoBackup, packed, unpacked
from deploy.restore import secrets, spool_place, translated
from deploy.stack.config import read_env_file
from deploy.terminal import ToolError
from services.common.contracts.envelope import TYPE_PREFIX
from services.common.contracts.topics import ALL_TOPICS, COMMANDS, CONTACTS, LIFECYCLE, NOTIFICATIONS, RECEIVED
from services.common.kit.letters import NOTE_KEY, NOTE_OF

MOMENT = datetime(2026, 3, 14, 12, tzinfo=UTC)
OFFSETS = st.lists(st.integers(0, 5_000), unique=True).map(sorted)
RECORDS = st.builds(
    Copied,
    partition=st.integers(0, 200),
    offset=st.integers(0, 2**62),
    at=st.integers(-1, 2**45),
    key=st.none() | st.binary(max_size=30),
    value=st.none() | st.binary(max_size=200),
    headers=st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.none() | st.binary(max_size=30))
    ).map(tuple),
)


def manifest(**more: object) -> Manifest:
    given: dict[str, object] = {
        "began_at": MOMENT,
        "ended_at": MOMENT,
        "notify_ran": True,
        "notify_behind": 0,
        "offsets": {},
        "left_out": {},
        "files": {},
    }
    return Manifest.model_validate({**given, **more})


def made(path: Path, documents: Iterable[bytes]) -> Folder:
    folder = Folder(path)
    folder.make()
    folder.write("topics/a.bson.gz", documents)
    folder.put("secrets.env", b"INTAKE_ID_SECRET=abc\n")
    folder.seal(manifest())
    return folder


def record(offset: int, **headers: str) -> Copied:
    return Copied(0, offset, 1, b"k", b"v", tuple((name, text.encode()) for name, text in headers.items()))


# --- the format ---


@given(RECORDS)
def test_any_record_survives_the_format(one: Copied) -> None:
    back = unpacked(bson.decode(packed(one)))
    assert back == one
    assert {type(number) for number in (back.partition, back.offset, back.at)} == {int}  # a producer takes no other


@given(st.lists(RECORDS, max_size=20))
def test_a_file_gives_back_what_was_put_in_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, given: list[Copied]
) -> None:
    folder = made(tmp_path_factory.mktemp("backup"), map(packed, given))
    assert list(folder.records("topics/a.bson.gz")) == given
    assert folder.manifest().files["topics/a.bson.gz"].count == len(given)


def test_what_was_just_written_is_found_as_it_was_written(tmp_path: Path) -> None:
    folder = made(tmp_path / "backup", [packed(record(1))])
    assert list(folder.check(folder.manifest())) == ["secrets.env", "topics/a.bson.gz"]


def test_nobody_but_its_owner_can_read_a_backup(tmp_path: Path) -> None:
    folder = made(tmp_path / "backup", [])
    paths = [folder.path, *folder.path.rglob("*")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}


def test_a_folder_with_something_in_it_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(NoBackup, match="is not empty"):
        Folder(tmp_path).make()


def test_what_did_not_come_to_its_end_is_no_backup(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.make()
    folder.write("topics/a.bson.gz", [])
    with pytest.raises(NoBackup, match="did not come to its end"):
        folder.manifest()


def test_one_other_byte_is_noticed(tmp_path: Path) -> None:
    folder = made(tmp_path / "backup", [packed(record(1))])
    path = folder.path / "topics/a.bson.gz"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(NoBackup, match=r"a\.bson\.gz is not as it was written"):
        list(folder.check(folder.manifest()))


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    folder = made(tmp_path / "backup", [])
    (folder.path / "secrets.env").unlink()
    with pytest.raises(NoBackup, match=r"secrets\.env is missing"):
        list(folder.check(folder.manifest()))


# --- offsets ---


@given(OFFSETS, st.integers(0, 6_000))
def test_a_group_goes_on_behind_exactly_what_it_had_acknowledged(kept: list[int], committed: int) -> None:
    moved = order.moved(kept, committed)
    assert kept[:moved] == [offset for offset in kept if offset < committed]


def test_partitions_of_which_nothing_was_kept_begin_at_0() -> None:
    assert translated({"a/0": 7, "a/1": 7}, {"a/1": [5, 6, 7]}) == {"a/0": 0, "a/1": 2}


@given(OFFSETS.filter(bool), st.data())
def test_a_note_names_its_letter_under_the_new_offset(kept: list[int], data: st.DataObject) -> None:
    old = data.draw(st.sampled_from(kept))
    note = Copied(0, old + 1, 1, NOTE_KEY, None, ((NOTE_OF, str(old).encode()), ("dlq-at", b"then")))
    renumbered = order.renumbered(note, kept)
    assert kept[int(dict(renumbered.headers)[NOTE_OF] or b"")] == old
    assert dict(renumbered.headers)["dlq-at"] == b"then"


def test_a_note_on_a_letter_that_is_no_more_names_none() -> None:
    note = Copied(0, 9, 1, NOTE_KEY, None, ((NOTE_OF, b"3"),))
    assert dict(order.renumbered(note, [4, 5, 9]).headers) == {NOTE_OF: b"-1"}


def test_a_letter_stays_as_it_is() -> None:
    letter = record(4, **{NOTE_OF: "4"})
    assert order.renumbered(letter, [4]) is letter


# --- the order ---


def test_every_topic_is_copied_once_and_a_cause_after_its_effect() -> None:
    names = [topic.name for topic in order.topics_in_order()]
    assert sorted([*names, NOTIFICATIONS.name]) == sorted(topic.name for topic in ALL_TOPICS)
    assert names.index(LIFECYCLE.name) < names.index(RECEIVED.name) < names.index(CONTACTS.name)
    assert max(names.index(topic.name) for topic in order.OF_ROUTING) < names.index(RECEIVED.name)


def test_marks_go_before_sheets_and_files_come_last() -> None:
    own, last = order.collections_in_order("reporting", ["sheets", "requests_next", "archive", "sheet_marks"])
    assert (own, last) == (["sheet_marks", "archive", "sheets"], [])
    own, last = order.collections_in_order("intake", ["files.chunks", "keys", "files.files", "system.views"])
    assert (own, last) == (["keys"], ["files.files", "files.chunks"])


@pytest.mark.parametrize("kind", ["TimerDue", "RerouteAsked"])
def test_what_no_case_writes_down_is_never_left_out(kind: str) -> None:
    assert order.stored_id(COMMANDS.name, record(1, ce_id="x", ce_type=TYPE_PREFIX + kind)) is None


def test_what_is_not_of_routing_is_never_left_out() -> None:
    assert order.stored_id(RECEIVED.name, record(1, ce_id="x", ce_type=TYPE_PREFIX + "RequestReceived")) is None


def test_what_routings_copy_does_not_know_is_left_out() -> None:
    known = record(1, ce_id="x", ce_type=TYPE_PREFIX + "RequestAssigned")
    candidates = {
        ("requests.lifecycle/3", offset): order.stored_id(LIFECYCLE.name, one) or ""
        for offset, one in ((7, known), (9, known._replace(headers=(("ce_id", b"y"),))))
    }
    assert order.orphans(candidates, {"x"}) == {"requests.lifecycle/3": (9,)}


@given(st.sets(st.integers(0, 50)), st.sets(st.integers(0, 50)))
def test_a_candidate_is_left_out_or_known(places: set[int], known: set[int]) -> None:
    candidates = {("t/0", offset): str(offset) for offset in places}
    left_out = order.orphans(candidates, {str(one) for one in known})
    assert set(itertools.chain(*left_out.values())) == places - known


# --- the commands ---


def test_a_new_stack_gets_the_secrets_of_the_backup_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    folder = made(tmp_path / "backup", [])
    env = secrets(folder, tmp_path / "run")
    assert read_env_file(env.read_text()) == {"INTAKE_ID_SECRET": "abc"}
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    with pytest.raises(ToolError, match="a restore goes into a new folder"):
        secrets(folder, tmp_path / "run")


def test_a_spool_goes_into_an_empty_place_or_nothing_is_touched(tmp_path: Path) -> None:
    with_one = manifest(files={"intake/spool/position": {"size": 1, "count": 0, "sha256": "x"}})
    assert spool_place(manifest(), {}) is None
    assert spool_place(with_one, {"INTAKE_DATA_DIR": str(tmp_path)}) == tmp_path / "spool"
    (tmp_path / "spool").mkdir()
    assert spool_place(with_one, {"INTAKE_DATA_DIR": str(tmp_path)}) == tmp_path / "spool"
    (tmp_path / "spool" / "position").touch()
    with pytest.raises(ToolError, match=r"not empty: .*spool. Nothing was touched"):
        spool_place(with_one, {"INTAKE_DATA_DIR": str(tmp_path)})
    with pytest.raises(ToolError, match=r"INTAKE_DATA_DIR is not set.* Nothing was touched"):
        spool_place(with_one, {})


def test_a_backup_says_that_it_is_private_and_what_may_be_told_twice(tmp_path: Path) -> None:
    said = summary(tmp_path, manifest(notify_behind=3, left_out={"requests.lifecycle/1": [4, 5]}))
    assert "names, telephones and addresses" in said
    assert "notify was 3 events behind" in said
    assert "2 records of routing came too late" in said
