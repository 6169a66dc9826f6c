"""
Notify's tests on the real database.
"""

from collections.abc import AsyncIterator

import pytest

from services.common.kit.mongo import Client, connect
from services.common.kit.settings import MongoSettings
from tests.integration.notify.scene import Scene


@pytest.fixture
async def client(mongo_uri: str) -> AsyncIterator[Client]:
    client = connect(MongoSettings(uri=mongo_uri))
    yield client
    client.close()


@pytest.fixture
async def house(client: Client, database: str) -> Scene:
    house = Scene(client, database)
    await house.repository.prepare()
    return house
