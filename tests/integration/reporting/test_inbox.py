"""
What people keep for themselves, on the real database; and that two pages hear of one change.
"""

import asyncio
from datetime import UTC, datetime

import pytest

from services.common.contracts.vocabulary import Outcome
from services.common.kit.mongo import Client
from services.reporting.inbox.live import Hub
from services.reporting.inbox.saved import MOST, NotKept, Saved
from services.reporting.repository import Repository
from tests.unit.reporting.lives import Life

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
ME, SHE = "u_" + "1" * 16, "u_" + "2" * 16


async def test_a_search_belongs_to_one_person_in_one_department(client: Client, database: str) -> None:
    saved = Saved(client, database)
    await saved.keep_search(ME, "zabita", " Acil  Kadıköy ", "?view=new", NOW)
    await saved.keep_search(ME, "zabita", "Acil Kadıköy", "?view=overdue", NOW)
    await saved.keep_search(SHE, "zabita", "Hepsi", "", NOW)

    (mine,) = await saved.searches(ME, "zabita")
    assert (mine.name, mine.query) == ("Acil Kadıköy", "?view=overdue")
    assert await saved.searches(ME, "fen-isleri") == []

    await saved.drop_search(SHE, mine.id)
    assert await saved.searches(ME, "zabita") == [mine]
    await saved.drop_search(ME, mine.id)
    assert await saved.searches(ME, "zabita") == []


async def test_an_answer_belongs_to_its_department_and_its_placeholders_are_known(
    client: Client, database: str
) -> None:
    saved = Saved(client, database)
    await saved.keep_answer("zabita", "Uyarıldı", "{number}: uyarıldı", Outcome.RESOLVED, ME, NOW)
    with pytest.raises(NotKept, match="text"):
        await saved.keep_answer("zabita", "Kötü", "{ad}", Outcome.RESOLVED, ME, NOW)
    with pytest.raises(NotKept, match="name"):
        await saved.keep_answer("zabita", "  ", "x", Outcome.RESOLVED, ME, NOW)

    (answer,) = await saved.answers("zabita")
    assert (answer.title.tr, answer.tr, answer.outcome) == ("Uyarıldı", "{number}: uyarıldı", Outcome.RESOLVED)
    assert await saved.answers("fen-isleri") == []

    await saved.drop_answer("fen-isleri", answer.key)
    assert await saved.answers("zabita") == [answer]
    await saved.drop_answer("zabita", answer.key)
    assert await saved.answers("zabita") == []


async def test_there_is_an_end_to_what_one_keeps(client: Client, database: str) -> None:
    saved = Saved(client, database)
    for number in range(MOST):
        await saved.keep_search(ME, "zabita", f"arama {number}", "", NOW)
    with pytest.raises(NotKept):
        await saved.keep_search(ME, "zabita", "bir daha", "", NOW)
    await saved.keep_search(ME, "zabita", "arama 3", "?view=new", NOW)
    assert len(await saved.searches(ME, "zabita")) == MOST


async def test_two_pages_hear_of_one_change_and_who_lost_it_hears_too(client: Client, database: str) -> None:
    repository = Repository(client, database)
    await repository.prepare()
    hub = Hub(repository, lambda: datetime.now(UTC), every=0.05)
    one = Life(service="gurultu").receive().register().assign().assign("fen-isleri")
    async with hub.listen("zabita", None) as lost, hub.listen("fen-isleri", None) as holds:
        await repository.project(one.events)
        async with asyncio.timeout(30):
            assert (await lost.get()).ids == (await holds.get()).ids == (one.request_id,)
    await hub.close()
