"""
The only place that makes a MongoDB client, and the few differences between drivers (Motor is at its end of life).
"""

from collections.abc import Sequence
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import IndexModel
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    ExecutionTimeout,
    NetworkTimeout,
    PyMongoError,
    WTimeoutError,
)

from services.common.kit.errors import Retryable
from services.common.kit.settings import MongoSettings

UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    AutoReconnect,
    NetworkTimeout,
    ExecutionTimeout,
    WTimeoutError,
)

_DUPLICATE_KEY: Final = 11_000

Client = AsyncIOMotorClient[dict[str, Any]]
Collection = AsyncIOMotorCollection[dict[str, Any]]


def connect(settings: MongoSettings) -> Client:
    """
    Make a client inside the running event loop. It connects lazily; ``close()`` is synchronous.

    Waits 3 s for a server and 10 s for an answer; writes are acknowledged by a majority, which implies the journal on
    disk (deploy/decisions/0003); times are aware, in UTC.
    """
    return AsyncIOMotorClient(
        settings.uri,
        serverSelectionTimeoutMS=3_000,
        connectTimeoutMS=3_000,
        socketTimeoutMS=10_000,
        w="majority",
        retryWrites=True,
        tz_aware=True,
        uuidRepresentation="standard",
    )


class WriteFailed(PyMongoError):
    """
    A bulk write that the server did not do, by its codes alone. Holds no document.
    """


def only_duplicates(error: BulkWriteError) -> list[Any]:
    """
    Return the ids that were there already, if that is all that went wrong with a bulk write.

    Raises ``Retryable`` if the write may not last (its write concern failed) and ``WriteFailed`` for anything else:
    never ``error`` itself, whose text holds whole documents. Do nothing else inside the ``except``: what is raised
    there would be shown together with it.
    """
    details = error.details or {}
    failed: list[dict[str, Any]] = details.get("writeErrors", [])
    concerns: list[dict[str, Any]] = details.get("writeConcernErrors", [])
    others = sorted({row.get("code", 0) for row in failed} - {_DUPLICATE_KEY})
    if others or not (failed or concerns):
        raise WriteFailed(f"bulk write failed, codes {others}") from None
    if concerns:
        codes = sorted({row.get("code", 0) for row in concerns})
        raise Retryable(f"bulk write not acknowledged by a majority, codes {codes}") from None
    return [row.get("op", {}).get("_id") for row in failed]


async def ensure_indexes(collection: Collection, indexes: Sequence[IndexModel]) -> None:
    """
    Create what is missing; existing indexes are left alone.
    """
    if indexes:
        await collection.create_indexes(list(indexes))


async def aggregate(collection: Collection, pipeline: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """
    Run a pipeline and return all rows.
    """
    return [row async for row in collection.aggregate(list(pipeline))]
