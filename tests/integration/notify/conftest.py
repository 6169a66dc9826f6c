"""
Notify's tests on the real database.
"""

import pytest

from services.common.kit.mongo import Client
from tests.integration.notify.scene import Scene


@pytest.fixture
async def house(client: Client, database: str) -> Scene:
    house = Scene(client, database)
    await house.repository.prepare()
    return house
