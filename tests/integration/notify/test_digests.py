"""
The digests on the real database: the insert decides who writes.
"""

import asyncio
from datetime import date

from services.common.kit.mongo import Client
from services.notify.digest_repository import DigestRepository

DAY = date(2026, 6, 3)


async def test_of_several_who_want_to_write_one_does(client: Client, database: str) -> None:
    repositories = [DigestRepository(client, database) for _ in range(8)]
    await repositories[0].prepare()
    claims = await asyncio.gather(*(repository.claim(DAY, "zabita") for repository in repositories))
    assert sorted(claims) == [False] * 7 + [True]
    assert await repositories[1].done(DAY) == {"zabita"}


async def test_a_claim_is_for_one_day_and_one_department_and_can_be_given_back(client: Client, database: str) -> None:
    digests = DigestRepository(client, database)
    await digests.prepare()
    assert await digests.claim(DAY, "zabita")
    assert await digests.claim(DAY, "fen-isleri")
    assert await digests.claim(DAY.replace(day=4), "zabita")
    await digests.release(DAY, "zabita")
    assert await digests.done(DAY) == {"fen-isleri"}
    assert await digests.claim(DAY, "zabita")
