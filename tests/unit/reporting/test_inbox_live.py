"""
Who is told of which change, and how a page that was away comes back.
"""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from services.reporting.inbox.live import Hub, News, as_event, events, resumed_at
from services.reporting.work import Change

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
SOON = 0.01


def change(number: str, rev: int, *departments: str) -> Change:
    """
    A change of what the last of these departments holds, and the others held.
    """
    return Change(number, rev, departments[-1], NOW, departments)


class Changes:
    """
    Everything that was written, whatever moment is asked for: as the real one looks further back than it is asked.
    """

    def __init__(self, *written: Change) -> None:
        self.written = list(written)
        self.asked: list[tuple[datetime, Collection[str]]] = []

    async def changed_since(self, moment: datetime, departments: Collection[str]) -> list[Change]:
        self.asked.append((moment, departments))
        return [one for one in self.written if set(one.held_by) & set(departments)]


def hub(changes: Changes) -> Hub:
    return Hub(changes, lambda: NOW, every=SOON)


async def take(queue: asyncio.Queue[News]) -> News:
    async with asyncio.timeout(5):
        return await queue.get()


async def test_who_holds_it_and_who_held_it_are_told_and_nobody_else() -> None:
    changes = Changes()
    listening = hub(changes)
    async with (
        listening.listen("zabita", None) as now,
        listening.listen("fen-isleri", None) as before,
        listening.listen("veteriner-isleri", None) as never,
    ):
        changes.written.append(change("A", 3, "fen-isleri", "zabita"))

        assert (await take(now)).ids == ("A",)
        assert (await take(before)).ids == ("A",)
        assert never.empty()
    await listening.close()


async def test_a_change_is_told_once_and_the_next_one_again() -> None:
    changes = Changes()
    listening = hub(changes)
    async with listening.listen("zabita", None) as queue:
        changes.written.append(change("A", 1, "zabita"))
        assert (await take(queue)).ids == ("A",)
        changes.written.append(change("B", 1, "zabita"))
        assert (await take(queue)).ids == ("B",)
        changes.written[0] = change("A", 2, "zabita")
        assert (await take(queue)).ids == ("A",)
    await listening.close()


async def test_many_pages_cost_one_question() -> None:
    changes = Changes()
    listening = hub(changes)
    async with listening.listen("zabita", None), listening.listen("zabita", None), listening.listen("fen-isleri", None):
        tasks = [task for task in asyncio.all_tasks() if "_ask" in repr(task.get_coro())]
        assert len(tasks) == 1
    await listening.close()


async def test_nobody_asks_when_nobody_listens() -> None:
    changes = Changes()
    listening = hub(changes)
    async with listening.listen("zabita", None):
        pass
    asking = listening._asking
    assert asking is not None
    async with asyncio.timeout(5):
        await asking


async def test_who_comes_back_hears_first_what_was_missed() -> None:
    changes = Changes(change("A", 1, "zabita"), change("B", 1, "fen-isleri"))
    listening = hub(changes)
    since = NOW - timedelta(minutes=2)
    async with listening.listen("zabita", since) as queue:
        assert await take(queue) == News(NOW, ("A",))
    assert changes.asked[0] == (since, {"zabita"})
    await listening.close()


async def test_who_was_away_for_long_loads_the_page_anew() -> None:
    listening = hub(Changes())
    async with listening.listen("zabita", NOW - timedelta(hours=1)) as queue:
        assert await take(queue) == News(NOW, (), missed=True)
    await listening.close()


async def test_a_stream_says_where_to_resume_and_ends_with_the_token() -> None:
    at = [NOW]
    changes = Changes()
    listening = hub(changes)
    stream = events(listening, "zabita", None, NOW + timedelta(minutes=15), lambda: at[0])

    first = await anext(stream)
    changes.written.append(change("A", 1, "zabita"))
    second = await anext(stream)
    at[0] += timedelta(minutes=15)

    assert first == f"retry: 2000\nid: {NOW.isoformat()}\nevent: changed\ndata: []\n\n"
    assert second == as_event(News(NOW, ("A",)))
    assert [piece async for piece in stream] == []
    await listening.close()


def test_only_a_moment_with_a_zone_is_a_place_to_resume() -> None:
    assert resumed_at(NOW.isoformat()) == NOW
    assert [resumed_at(text) for text in (None, "", "x", "2026-11-02T09:00:00")] == [None] * 4
