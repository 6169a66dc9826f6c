"""
A client of the database server for one test, and a database that goes with it.
"""

from collections.abc import AsyncIterator

import pytest
from pymongo import MongoClient

from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings


@pytest.fixture
async def client(mongo_uri: str, database: str) -> AsyncIterator[Client]:
    """
    Connected; ``database`` is dropped behind the test.
    """
    client = connect(MongoSettings(uri=mongo_uri))
    yield client
    client.close()
    with MongoClient[dict[str, object]](mongo_uri) as patient:  # a city's year takes longer than our own patience
        patient.drop_database(database)
