"""
The fault suite's network does to connections what its weather says.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.network import FAIR, Link, Weather

Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(1_000):
        writer.write(piece)
    writer.close()


@asynccontextmanager
async def link() -> AsyncIterator[tuple[Link, int]]:
    """
    A link to a server that says everything back, and the link's port.
    """
    target = await asyncio.start_server(_echo, "127.0.0.1", 0)
    made = Link(target.sockets[0].getsockname()[1], random.Random(1))
    server = await made.serve(0)
    async with target, server:
        yield made, server.sockets[0].getsockname()[1]


async def _said_back(ends: Ends, word: bytes) -> bytes:
    reader, writer = ends
    writer.write(word)
    return await asyncio.wait_for(reader.readexactly(len(word)), 10)


async def test_in_fair_weather_all_arrives_and_an_end_ends_both_sides() -> None:
    async with link() as (made, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await _said_back((reader, writer), b"merhaba") == b"merhaba"
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        assert made.resets == 0
        writer.close()


async def test_a_cut_resets_what_is_open_and_what_is_opened_until_it_is_over() -> None:
    async with link() as (made, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await _said_back((reader, writer), b"merhaba")
        await made.set(Weather(cut=True))
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.readexactly(1), 10)
        late_reader, late = await asyncio.open_connection("127.0.0.1", port)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(late_reader.readexactly(1), 10)
        await made.set(FAIR)
        again = await asyncio.open_connection("127.0.0.1", port)
        assert await _said_back(again, b"yine") == b"yine"
        for one in (writer, late, again[1]):
            one.close()


async def test_what_is_held_arrives_when_it_is_over() -> None:
    async with link() as (made, port):
        ends = await asyncio.open_connection("127.0.0.1", port)
        await _said_back(ends, b"merhaba")
        await made.set(Weather(held=True))
        asked = asyncio.create_task(_said_back(ends, b"sonra"))
        assert not (await asyncio.wait({asked}, timeout=0.2))[0]
        await made.set(FAIR)
        assert await asked == b"sonra"
        ends[1].close()


async def test_a_torn_connection_gives_half_a_piece_at_most_and_is_reset() -> None:
    async with link() as (made, port):
        await made.set(Weather(torn=1.0))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"merhaba")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(reader.readexactly(7), 10)
        assert made.resets == 2
        writer.close()


async def test_a_connection_that_is_closed_already_may_be_reset() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.close()
        await writer.wait_closed()
        made = Link(0, random.Random(1))
        made._reset(writer)
        assert made.resets == 1
        assert await reader.read() == b""
