"""
The projector's handler, killed between its two writes.
"""

from collections.abc import Sequence

import pytest

from services.common.contracts.envelope import Received
from services.common.kit.clock import system_clock
from services.common.kit.health import Health
from services.common.kit.mongo import Client
from services.reporting.calls.repository import Calls
from services.reporting.figures.sheets_repository import Sheets
from services.reporting.projector import Progress, projector
from services.reporting.repository import Repository
from tests.unit.reporting.lives import deliver, documents_of, random_lives

pytestmark = pytest.mark.integration


class Killed(Exception):
    """
    What a kill looks like from inside.
    """


class Mortal(Repository):
    """
    Dies after the archive was written, once.
    """

    dead = False

    async def project(self, events: Sequence[Received]) -> set[str]:
        if not self.dead:
            self.dead = True
            raise Killed
        return await super().project(events)


@pytest.fixture
async def repository(client: Client, database: str) -> Mortal:
    repository = Mortal(client, database)
    await repository.prepare()
    return repository


async def test_what_was_archived_before_a_kill_is_folded_when_it_comes_again(
    repository: Mortal, client: Client, database: str
) -> None:
    lives = list(random_lives(6, 20))
    batch = [deliver(event) for life in lives for event in life.events]
    handle = projector(
        repository, Sheets(client, database), Progress(system_clock, Health(), None), Calls(client, database)
    )

    with pytest.raises(Killed):
        await handle(batch)
    await handle(batch)

    assert await repository.archived_count() == len(batch)
    for name, expected in documents_of([one.event for one in batch]).items():
        document = await repository.requests.find_one({"_id": name})
        assert document is not None
        assert {name: document[name] for name in expected} == expected
