"""
The only place that makes a MongoDB client, and the few differences between drivers (Motor is at its end of life).
"""

from collections.abc import Sequence
from typing import Any, Final

from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection
from pymongo import IndexModel
from pymongo.errors import AutoReconnect, ExecutionTimeout, NetworkTimeout, WTimeoutError

from services.common.kit.settings import MongoSettings

UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    AutoReconnect,
    NetworkTimeout,
    ExecutionTimeout,
    WTimeoutError,
)

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
