"""
The only place that makes a MongoDB client, and the few differences between drivers (Motor is at its end of life).
"""

from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from gridfs.errors import NoFile
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorCollection, AsyncIOMotorGridFSBucket
from pymongo import IndexModel
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    CursorNotFound,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)

from services.common.kit.errors import Retryable
from services.common.kit.settings import MongoSettings


class BrokenOff(PyMongoError):
    """
    The server broke off a query, because the collection gave place to another. The same question has an answer now.
    """


UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    AutoReconnect,
    NetworkTimeout,
    ExecutionTimeout,
    WTimeoutError,
    CursorNotFound,
    BrokenOff,
)

_DUPLICATE_KEY: Final = 11_000
_QUERY_PLAN_KILLED: Final = 175  # the driver has no class for it

Client = AsyncIOMotorClient[dict[str, Any]]
Collection = AsyncIOMotorCollection[dict[str, Any]]
Bucket = AsyncIOMotorGridFSBucket

_CHUNK_BYTES: Final = 1_048_576


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

    Raises ``Retryable`` if the write may not last (its write concern failed) or was broken off because the collection
    gave place to another, and ``WriteFailed`` for anything else:
    never ``error`` itself, whose text holds whole documents. Do nothing else inside the ``except``: what is raised
    there would be shown together with it.
    """
    details = error.details or {}
    failed: list[dict[str, Any]] = details.get("writeErrors", [])
    concerns: list[dict[str, Any]] = details.get("writeConcernErrors", [])
    others = sorted({row.get("code", 0) for row in failed} - {_DUPLICATE_KEY})
    if others == [_QUERY_PLAN_KILLED]:
        raise Retryable("bulk write broken off") from None
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
    Run a pipeline and return all rows. Raises ``BrokenOff``.
    """
    return [row async for row in rows(collection.aggregate(list(pipeline)))]


async def rows(found: AsyncIterable[dict[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """
    What a cursor finds, in a collection that another may take the place of. Raises ``BrokenOff``.
    """
    with _broken_off():
        async for row in found:
            yield row


async def count(collection: Collection, query: Mapping[str, Any]) -> int:
    """
    How many documents fit. Raises ``BrokenOff``.
    """
    with _broken_off():
        return await collection.count_documents(query)


@contextmanager
def _broken_off() -> Iterator[None]:
    try:
        yield
    except OperationFailure as error:
        if error.code == _QUERY_PLAN_KILLED:
            raise BrokenOff from None
        raise


def bucket(client: Client, database: str, name: str) -> Bucket:
    """
    A GridFS bucket: files in pieces of 1 MiB, acknowledged as every other write of the client.
    """
    return AsyncIOMotorGridFSBucket(client[database], bucket_name=name, chunk_size_bytes=_CHUNK_BYTES)


async def put_file(files: Bucket, file_id: str, content: bytes) -> None:
    """
    Keep a file under an id that was never used before. What a failure leaves behind, ``drop_file`` takes away.
    """
    await files.upload_from_stream_with_id(file_id, file_id, content)


async def open_file(files: Bucket, file_id: str) -> AsyncIterator[bytes] | None:
    """
    The file's pieces, or None if there is no such file.
    """
    try:
        stream = await files.open_download_stream(file_id)
    except NoFile:
        return None

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await stream.readchunk():
            yield piece

    return pieces()


async def drop_file(files: Bucket, file_id: str) -> None:
    """
    Take a file away, whole or half kept; one that is not there is gone already.
    """
    try:
        await files.delete(file_id)
    except NoFile:
        return
