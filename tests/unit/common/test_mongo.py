"""
What becomes of a bulk write that failed in part, and that none of its documents gets into an error's text; and of what
is read while its collection gives place to another.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import REGISTRY
from pydantic import ValidationError
from pymongo.errors import BulkWriteError, CursorNotFound, OperationFailure

from services.common.contracts.events import ContactChanged, Location
from services.common.contracts.vocabulary import Status
from services.common.kit.errors import Retryable
from services.common.kit.mongo import UNAVAILABLE, Client, WriteFailed, connect, only_duplicates
from services.common.kit.settings import MongoSettings
from services.intake.read_model import CaseState
from services.intake.repository import AWAY
from services.intake.repository import Repository as IntakeRepository
from services.notify.domain import Contact, Telling
from services.notify.repository import NotifyRepository
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.public.shown import PublicFilter
from services.reporting.queries import Filter
from services.reporting.repository import Repository as ReportingRepository
from services.routing.case import Case
from services.routing.repository import CaseRepository, Conflict
from tests.builders import NOON, delivery, request

SECRET = "+905321112233"
THERE = {"index": 0, "code": 11_000, "errmsg": "E11000", "op": {"_id": "c", "phone": SECRET}}
TOO_BIG = {"index": 1, "code": 10_334, "errmsg": f"too big: {SECRET}", "op": {"_id": "d", "phone": SECRET}}
REPLACED = {"index": 1, "code": 175, "errmsg": "collection dropped", "op": {"_id": "d", "phone": SECRET}}
NO_MAJORITY = {"code": 64, "errmsg": "waiting for replication timed out"}


def failure(*errors: dict[str, Any], concern: bool = False) -> BulkWriteError:
    return BulkWriteError({"writeErrors": list(errors), "writeConcernErrors": [NO_MAJORITY] if concern else []})


def test_documents_that_are_there_already_are_no_failure_and_are_named() -> None:
    assert only_duplicates(failure(THERE)) == ["c"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failure(THERE, TOO_BIG), WriteFailed),
        (failure(THERE, TOO_BIG, concern=True), WriteFailed),
        (failure(THERE, concern=True), Retryable),
        (failure(concern=True), Retryable),
        (failure(), WriteFailed),
        (failure(THERE, REPLACED), Retryable),
        (failure(TOO_BIG, REPLACED), WriteFailed),
    ],
)
def test_any_other_failure_is_raised_and_what_may_go_well_later_is_tried_again(
    error: BulkWriteError, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        only_duplicates(error)
    assert issubclass(WriteFailed, AWAY)
    assert issubclass(Retryable, AWAY)


class Broken:
    """
    A database in which every bulk write fails in the same way.
    """

    def __init__(self, error: BulkWriteError) -> None:
        self.error = error

    def __getitem__(self, _: str) -> "Broken":
        return self

    def get_collection(self, _: str, **__: object) -> "Broken":
        return self

    def find(self, *_: object) -> "Broken":
        return self

    def __aiter__(self) -> "Broken":
        return self

    async def __anext__(self) -> object:
        raise StopAsyncIteration

    async def find_one(self, *_: object) -> None:
        return None

    async def insert_many(self, *_: object, ordered: bool) -> None:
        raise self.error

    async def bulk_write(self, *_: object, ordered: bool) -> SimpleNamespace:
        raise self.error


Write = Callable[[Client], Awaitable[object]]
WRITES: dict[str, Write] = {
    "routing saves": lambda client: CaseRepository(client, "x").save([Case("d")]),
    "routing marks": lambda client: CaseRepository(client, "x").mark_published({"d": 1}),
    "notify keeps contacts": lambda client: NotifyRepository(client, "x").keep_contacts([Contact("c", NOON)], NOON),
    "notify writes": lambda client: NotifyRepository(client, "x").change(["d"], lambda one: Telling(one.request_id)),
    "reporting archives": lambda client: ReportingRepository(client, "x").keep([delivery(request())]),
    "reporting projects": lambda client: ReportingRepository(client, "x").project([delivery(request()).event]),
    "intake remembers": lambda client: IntakeRepository(client).remember({"d": "f"}, NOON),
    "intake applies": lambda client: IntakeRepository(client).apply(
        {"d": CaseState(1, Status.RECEIVED, None, None)}, {}, NOON
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("error", [failure(THERE, TOO_BIG), failure(THERE, concern=True)], ids=["other", "concern"])
def test_a_failed_bulk_write_is_never_taken_for_done_and_shows_no_document(write: Write, error: BulkWriteError) -> None:
    with pytest.raises((WriteFailed, Retryable)) as caught:
        asyncio.run(_awaited(write(cast(Client, Broken(error)))))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_case_that_is_there_already_is_a_conflict_that_shows_no_document() -> None:
    with pytest.raises(Conflict) as caught:
        asyncio.run(CaseRepository(cast(Client, Broken(failure(THERE))), "x").save([Case("c")]))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_contact_that_cannot_replace_an_older_one_shows_no_document() -> None:
    class Late(Broken):
        async def bulk_write(self, *_: object, ordered: bool) -> SimpleNamespace:
            raise failure(TOO_BIG)

    with pytest.raises(WriteFailed) as caught:
        asyncio.run(NotifyRepository(cast(Client, Late(failure(THERE))), "x").keep_contacts([Contact("c", NOON)], NOON))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_what_does_not_fit_a_model_is_not_quoted() -> None:
    with pytest.raises(ValidationError) as caught:
        ContactChanged.model_validate({"contact_id": "c_" + "0" * 32, "changed_at": NOON, "phone": [SECRET]})
    assert SECRET not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        Location.model_validate({"address": [SECRET]})
    assert SECRET not in str(caught.value)


class Replaced:
    """
    A database whose collections give place to others while something is read.
    """

    def __init__(self, error: OperationFailure) -> None:
        self.error = error

    def __getitem__(self, _: str) -> "Replaced":
        return self

    def find(self, *_: object, **__: object) -> "Replaced":
        return self

    aggregate = sort = skip = limit = find

    def __aiter__(self) -> "Replaced":
        return self

    async def __anext__(self) -> object:
        raise self.error

    async def count_documents(self, *_: object) -> int:
        raise self.error

    async def find_one(self, *_: object) -> None:
        return None


async def _documents(client: Client) -> object:
    return [row async for row in Sheets(client, "x").documents("2026-11-02")]


READS: dict[str, Write] = {
    "a list": lambda client: ReportingRepository(client, "x").page(Filter(), NOON, 9, None),
    "parts": lambda client: ReportingRepository(client, "x").parts_of("7XK29MQ4T3BDM"),
    "visits": lambda client: ReportingRepository(client, "x").to_visit(None),
    "what is similar": lambda client: ReportingRepository(client, "x").similar("yol-cukur", "Kale", None, NOON),
    "a public page": lambda client: ReportingRepository(client, "x").public_page(PublicFilter(), 0, 9),
    "a public count": lambda client: ReportingRepository(client, "x").public_count(PublicFilter()),
    "the projector": lambda client: ReportingRepository(client, "x").project([delivery(request()).event]),
    "a sheet": _documents,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.parametrize(
    "error", [CursorNotFound("cursor id 7 not found", 43), OperationFailure("collection dropped", 175)], ids=str
)
def test_what_is_read_while_its_collection_gives_place_to_another_is_unavailable_for_now(
    read: Write, error: OperationFailure
) -> None:
    with pytest.raises(UNAVAILABLE):
        asyncio.run(_awaited(read(cast(Client, Replaced(error)))))


def test_a_query_that_the_server_refuses_is_not_asked_again() -> None:
    refused = OperationFailure("unknown operator", 2)
    with pytest.raises(OperationFailure) as caught:
        asyncio.run(_awaited(READS["visits"](cast(Client, Replaced(refused)))))
    assert caught.value is refused
    assert not isinstance(refused, UNAVAILABLE)


async def _awaited(write: Awaitable[object]) -> object:
    return await write


async def test_a_database_that_is_not_reached_is_a_metric() -> None:
    client = connect(MongoSettings(uri="mongodb://127.0.0.1:1/"))
    with pytest.raises(UNAVAILABLE):
        await client.admin.command("ping")
    client.close()
    assert REGISTRY.get_sample_value("dependency_up", {"name": "mongodb"}) == 0
