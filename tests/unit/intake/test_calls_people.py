"""
Who calls: what the worker keeps of contacts and requests, and what an operator is shown.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from services.common.contracts.envelope import Metadata, Received
from services.common.contracts.events import ContactChanged, RequestRegistered
from services.common.contracts.topics import CONTACTS, LIFECYCLE
from services.common.contracts.vocabulary import Status
from services.common.kit.worker import Delivery
from services.intake.calls.people import MOST_REQUESTS, Hashes, OwnRequest, fold_people, shown
from services.intake.read_model import CaseState, Outcome, UpdateKey
from services.intake.worker import handler
from tests.builders import NOON

CONTACT = "c_" + "1" * 32


def contact(seconds: int = 0, phone_hash: str | None = "7" * 32) -> ContactChanged:
    at = NOON + timedelta(seconds=seconds)
    return ContactChanged(contact_id=CONTACT, changed_at=at, name="Ayşe", phone="+905321112233", phone_hash=phone_hash)


def registered(request_id: str, contact_id: str) -> RequestRegistered:
    return RequestRegistered(
        request_id=request_id, seq=1, status=Status.RECEIVED, occurred_at=NOON, contact_id=contact_id
    )


def test_only_hashes_are_kept_of_a_contact_and_the_newest_count() -> None:
    hashes, _ = fold_people([(CONTACT, contact(5, "5" * 32)), (CONTACT, contact(1))])
    assert hashes == {CONTACT: Hashes(NOON + timedelta(seconds=5), "5" * 32)}


def test_a_tombstone_forgets_and_what_comes_after_it_is_kept() -> None:
    assert fold_people([(CONTACT, contact()), (CONTACT, None)])[0] == {CONTACT: None}
    assert fold_people([(CONTACT, None), (CONTACT, contact())])[0] == {CONTACT: Hashes(NOON, "7" * 32)}


def test_a_request_without_a_contact_is_nobody_s() -> None:
    events = [("1" * 13, registered("1" * 13, CONTACT)), ("2" * 13, registered("2" * 13, "contact:none"))]
    assert fold_people(events)[1] == {"1" * 13: CONTACT}


def own(number: int, status: Status) -> OwnRequest:
    return OwnRequest(f"{number:013d}", status, "fen-isleri", "yol-cukur", NOON + timedelta(minutes=number))


def test_open_requests_come_first_then_the_newest_and_not_too_many() -> None:
    requests = [own(n, Status.RESOLVED if n % 2 else Status.IN_PROGRESS) for n in range(60)]
    found = shown(requests)
    assert len(found) == MOST_REQUESTS
    assert all(request.open for request in found)
    assert [request.request_id for request in found[:2]] == ["0000000000058", "0000000000056"]
    assert [request.open for request in shown([own(9, Status.RESOLVED), own(1, Status.TRIAGE)])] == [True, False]


async def test_the_worker_takes_contacts_tombstones_and_the_life_of_requests_in_one_batch() -> None:
    kept: list[object] = []

    async def apply(cases: Mapping[str, CaseState], outcomes: Mapping[UpdateKey, Outcome]) -> None:
        kept.append(set(cases))

    async def keep(hashes: Mapping[str, Hashes | None], holders: Mapping[str, str]) -> None:
        kept.append((dict(hashes), dict(holders)))

    async def nothing(given: Iterable[object]) -> None:
        assert not list(given)

    tombstone = Delivery(CONTACTS.name, 0, 1, CONTACT.encode(), None, ())
    meta = Metadata("e1", "/test", NOON, "1" * 13, "1" * 13, "e0")
    event = Received(LIFECYCLE.name, meta, registered("1" * 13, CONTACT))
    await handler(apply, keep, nothing, nothing)(
        [tombstone, Delivery(LIFECYCLE.name, 0, 0, b"1" * 13, b"{}", (), event)]
    )
    assert kept == [({CONTACT: None}, {"1" * 13: CONTACT}), {"1" * 13}]
