"""
Whole databases, read from a MongoDB and brought back to one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final

from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient, ReplaceOne
from pymongo.database import Database

from services.common.kit.settings import MongoSettings

_TOGETHER: Final = 500
Raw = MongoClient[RawBSONDocument]


def of(variables: Mapping[str, str]) -> MongoSettings:
    """
    Where the database is, by the settings of a system.
    """
    return MongoSettings(uri=variables["MONGODB_URI"]) if "MONGODB_URI" in variables else MongoSettings()


@contextmanager
def server(settings: MongoSettings) -> Iterator[Raw]:
    """
    A client whose documents stay as they are. Raises pymongo's errors when it is used and nobody answers.
    """
    with MongoClient(
        settings.uri, document_class=RawBSONDocument, serverSelectionTimeoutMS=5_000, w="majority"
    ) as client:
        yield client


def collections(database: Database[Any]) -> list[str]:
    """
    The names of its collections.
    """
    return database.list_collection_names()


def read(database: Database[RawBSONDocument], collection: str) -> Iterator[bytes]:
    """
    The documents of a collection as their bytes, each as it is at some moment while this runs.
    """
    for document in database[collection].find():
        yield bytes(document.raw)


def filled(client: Raw, databases: Iterable[str]) -> list[str]:
    """
    Those of the databases' collections that have a document.
    """
    return [
        f"{name}.{collection}"
        for name in databases
        for collection in sorted(collections(client[name]))
        if not collection.startswith("system.") and client[name][collection].find_one() is not None
    ]


def write(database: Database[RawBSONDocument], collection: str, documents: Iterable[RawBSONDocument]) -> int:
    """
    Put documents into a collection, the later of two with one id; how many there were. The services make its indexes.
    """
    left, count = iter(documents), 0
    while some := list(islice(left, _TOGETHER)):
        writes: list[ReplaceOne[RawBSONDocument]] = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in some]
        database[collection].bulk_write(writes, ordered=True)
        count += len(some)
    return count
