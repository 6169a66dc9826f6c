"""
Intake's repository on the real MongoDB protocol.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.common.contracts.events import CrisisDeclared
from services.common.contracts.vocabulary import Status
from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings
from services.intake.crises import AuditRow
from services.intake.keys import StoredKey
from services.intake.read_model import CaseState, Outcome
from services.intake.repository import AWAY, Repository

pytestmark = pytest.mark.integration
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
RID = "7XK29MQ4T3BDA"


@pytest.fixture
async def repository(client: Client, database: str) -> Repository:
    repository = Repository(client, database)
    await repository.prepare()
    return repository


def state(seq: int, status: Status = Status.ASSIGNED) -> CaseState:
    return CaseState(seq, status, "fen-isleri", "yol-cukur", NOW)


async def test_the_first_fingerprint_of_a_number_stands_and_the_others_of_its_batch_are_kept(
    repository: Repository,
) -> None:
    await repository.remember({"a": "1"}, NOW)
    await repository.remember({"a": "2", "b": "3"}, NOW)
    assert await repository.fingerprints(["a", "b", "c"]) == {"a": "1", "b": "3"}


async def test_a_higher_seq_wins_whatever_comes_last(repository: Repository) -> None:
    for seq in (2, 5, 3, 5):
        await repository.apply({RID: state(seq), f"{RID}{seq}": state(1)}, {}, NOW)
    case = await repository.case(RID)
    assert case == state(5)
    assert await repository.case("unknown") is None
    assert await repository.case(f"{RID}3") == state(1)


async def test_a_part_is_a_case_of_its_own(repository: Repository) -> None:
    part = f"{RID}.1"
    await repository.apply(
        {RID: state(3), part: state(5, Status.RESOLVED)}, {(part, "u"): Outcome(part, "applied", 5)}, NOW
    )
    assert await repository.case(RID) == state(3)
    assert await repository.case(part) == state(5, Status.RESOLVED)
    assert await repository.update_result(RID, "u") is None
    result = await repository.update_result(part, "u")
    assert result is not None
    assert (result.result, result.seq) == ("applied", 5)


def declared(number: int, crisis: str = "salgin") -> AuditRow:
    at = NOW + timedelta(minutes=number)
    event = CrisisDeclared(crisis=crisis, starts_at=at, reason=f"{number}", declared_by="Kaymakam", declared_at=at)
    return AuditRow(f"{crisis}-{number}", event, "desk")


async def test_the_audit_of_crises_tells_the_last_that_kafka_has_and_all_tries_newest_first(
    repository: Repository,
) -> None:
    assert await repository.last_declared("salgin") is None
    rows = [declared(number) for number in (1, 3, 2)]
    for row in (*rows, declared(9, "deprem")):
        await repository.note_crisis(row)
    assert await repository.last_declared("salgin") is None
    for row in rows[1:]:
        await repository.note_declared(row.id)
    assert await repository.last_declared("salgin") == declared(3).event
    found = await repository.crisis_rows("salgin", 2)
    assert found == [replace(declared(number), state="declared") for number in (3, 2)]
    assert (await repository.crisis_rows("salgin", 9))[-1] == declared(1)


async def test_it_is_known_when_the_read_model_was_fresh(repository: Repository) -> None:
    assert await repository.fresh_at() is None
    for at in (NOW, NOW + timedelta(seconds=1)):
        await repository.beat(at)
        assert await repository.fresh_at() == at


async def test_an_outcome_replaces_pending_and_pending_never_an_outcome(repository: Repository) -> None:
    await repository.note_updates([(RID, "u1")], NOW)
    pending = await repository.update_result(RID, "u1")
    assert pending is not None
    assert pending.result == "pending"
    outcomes = {
        (RID, "u1"): Outcome(RID, "applied", 3),
        (RID, "u2"): Outcome(RID, "refused", 4, "forbidden_move", "no"),
    }
    for _ in range(2):
        await repository.apply({}, outcomes, NOW)
    await repository.note_updates([(RID, "u1"), (RID, "u2")], NOW)
    applied, refused = [await repository.update_result(RID, update_id) for update_id in ("u1", "u2")]
    assert applied is not None
    assert refused is not None
    assert (applied.result, applied.seq) == ("applied", 3)
    assert (refused.result, refused.reason, refused.detail) == ("refused", "forbidden_move", "no")
    assert await repository.update_result("another request", "u1") is None


async def test_departments_may_number_their_updates_alike_and_cannot_undo_each_others_results(
    repository: Repository,
) -> None:
    refused = Outcome(RID, "refused", 4, "not_the_holder", "held by zabita")
    await repository.apply({}, {(RID, "1"): Outcome(RID, "applied", 3), ("other", "1"): refused}, NOW)
    await repository.apply({}, {(RID, "1"): refused}, NOW)
    results = [await repository.update_result(request_id, "1") for request_id in (RID, "other")]
    assert [one.result for one in results if one] == ["applied", "refused"]


async def test_keys_are_added_renamed_and_revoked(repository: Repository) -> None:
    first = StoredKey("h1", "web", frozenset({"requests:write"}), frozenset())
    second = StoredKey("h2", "web", frozenset({"*"}), frozenset({"zabita", "fen-isleri"}))
    for key in (first, second, second):
        await repository.add_key(key, NOW)
    assert {key.hash: key for key in await repository.keys()} == {"h1": first, "h2": second}
    assert await repository.revoke_keys(["web"], NOW) == 2
    assert await repository.keys() == []
    assert {key.revoked for key in await repository.keys(revoked=True)} == {True}
    await repository.add_key(first, NOW)
    assert list(await repository.keys()) == [first]


async def test_a_server_that_is_away_is_named_as_such(database: str) -> None:
    client = connect(MongoSettings(uri="mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100"))
    try:
        with pytest.raises(AWAY):
            await Repository(client, database).fingerprints(["a"])
    finally:
        client.close()
