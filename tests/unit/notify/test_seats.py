"""
Who may take messages into hand, and how many.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.notify.seats import Seats

SOON = 0.01
FOR_EVER = 60.0


@asynccontextmanager
async def opened() -> AsyncIterator[Seats]:
    """
    Four seats, open.
    """
    seats = Seats(4, FOR_EVER)
    async with seats.open():
        yield seats


async def test_nobody_gets_a_seat_while_nothing_flies() -> None:
    async with Seats(4, FOR_EVER).soon(2, FOR_EVER) as seats:
        assert seats.taken == 0


async def test_what_is_not_used_is_free_again() -> None:
    async with opened() as four:
        async with four.some(3) as seats:
            assert seats.taken == 3
        async with four.some(4) as seats:
            assert seats.taken == 4


async def test_what_is_free_is_taken_when_the_time_is_over() -> None:
    async with opened() as four, four.some(3), four.soon(2, SOON) as seats:
        assert seats.taken == 1


async def test_more_than_there_are_is_all_there_are() -> None:
    async with opened() as four, four.soon(9, FOR_EVER) as seats:
        assert seats.taken == 4


async def test_messages_keep_their_seats_until_they_are_through() -> None:
    async with opened() as four:
        landed = asyncio.Event()
        async with four.some(4) as seats:
            four.fly(landed.wait, seats, 3)
        async with four.soon(4, SOON) as seats:
            assert seats.taken == 1
        landed.set()
        async with four.soon(4, FOR_EVER) as seats:
            assert seats.taken == 4


async def test_who_asks_for_many_is_not_overtaken_by_who_asks_for_one() -> None:
    async with opened() as four:
        order: list[str] = []
        landed = asyncio.Event()
        async with four.some(4) as seats:
            four.fly(landed.wait, seats, 2)

        async def many() -> None:
            async with four.soon(4, FOR_EVER):
                order.append("many")

        async def one() -> None:
            async with four.some(1):
                order.append("one")

        async with asyncio.TaskGroup() as group:
            group.create_task(many())
            await asyncio.sleep(0)
            group.create_task(one())
            await asyncio.sleep(0)
            landed.set()
        assert order == ["many", "one"]


async def test_a_flight_that_breaks_stops_whoever_takes_more() -> None:
    seats = Seats(1, FOR_EVER)

    async def breaks() -> None:
        raise ZeroDivisionError

    async def work() -> None:
        async with seats.open():
            async with seats.some(1) as taken:
                seats.fly(breaks, taken, 1)
            async with seats.some(1):
                pytest.fail("its seat was given back")

    with pytest.raises(ExceptionGroup, match="unhandled"):
        await work()
    async with seats.soon(1, FOR_EVER) as taken:
        assert taken.taken == 0


async def _departed(seats: Seats, landed: asyncio.Event, arrived: list[str]) -> "asyncio.Task[None]":
    """
    Somebody who has let a message depart that lands with ``landed``, and would take more.
    """
    away = asyncio.Event()

    async def flight() -> None:
        away.set()
        await landed.wait()
        arrived.append("landed")

    async def work() -> None:
        async with seats.open():
            async with seats.some(1) as taken:
                seats.fly(flight, taken, 1)
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await away.wait()
    return working


async def test_what_is_on_its_way_lands_before_the_end_however_often_that_is_asked_for() -> None:
    landed, arrived = asyncio.Event(), list[str]()
    working = await _departed(Seats(1, FOR_EVER), landed, arrived)
    for _ in range(2):
        working.cancel()
        await asyncio.wait({working}, timeout=SOON)
    assert not working.done()
    landed.set()
    await asyncio.wait({working})
    assert working.cancelled()
    assert arrived == ["landed"]


async def test_the_end_does_not_wait_for_ever_for_what_does_not_land() -> None:
    arrived = list[str]()
    working = await _departed(Seats(1, SOON), asyncio.Event(), arrived)
    working.cancel()
    await asyncio.wait({working})
    assert working.cancelled()
    assert not arrived
