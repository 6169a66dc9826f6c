"""
A network that can be made bad: a TCP proxy between our services and the brokers and the database.

``python -m tests.faults.network '[["kafka-1", 8045, 8041], …]'`` (name, where it listens, whom it passes on to; all on
loopback) runs beside, so that it costs the run's own loop nothing. It reads one JSON object a line from its standard
input (``{"links": […], …the fields of Weather}``), answers each with a line, and ends with the input.
"""

import asyncio
import json
import random
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Final

from deploy.stack.config import HOST, ROOT

PIECE_BYTES: Final = 65_536
RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close sends RST


@dataclass(frozen=True, slots=True)
class Weather:
    """
    What a link does to what goes over it. ``delay``: seconds that a piece takes, half as much to one and a half times.
    ``torn``: the chance of a piece that only half of it arrives, then the connection is reset. ``held``: nothing
    arrives, all of it does when this is over (so it is with TCP). ``cut``: connections are reset, new ones too.
    """

    delay: float = 0.0
    torn: float = 0.0
    held: bool = False
    cut: bool = False


FAIR: Final = Weather()


class Link:
    """
    Passes on what comes to a port, as the weather lets it.
    """

    def __init__(self, target: int, chance: random.Random) -> None:
        self._target = target
        self._chance = chance
        self._weather = FAIR
        self._changed = asyncio.Condition()
        self._open: set[asyncio.StreamWriter] = set()
        self.resets = 0

    async def serve(self, port: int) -> asyncio.Server:
        """
        Listen on loopback; port 0 is a free one.
        """
        return await asyncio.start_server(self._connected, HOST, port)

    async def set(self, weather: Weather) -> None:
        """
        From now on.
        """
        async with self._changed:
            self._weather = weather
            self._changed.notify_all()
        if weather.cut:
            for writer in tuple(self._open):
                self._reset(writer)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather.cut:
            self._reset(writer)
            return
        try:
            there_reader, there_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            self._reset(writer)
            return
        self._open |= {writer, there_writer}
        pumps = {
            asyncio.create_task(self._pump(reader, there_writer)),
            asyncio.create_task(self._pump(there_reader, writer)),
        }
        done, others = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in others:
            pump.cancel()
        torn = any(pump.exception() for pump in done)
        for end in (writer, there_writer):
            self._open.discard(end)
            self._reset(end) if torn else end.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE_BYTES):
            async with self._changed:
                await self._changed.wait_for(lambda: not self._weather.held)
            if self._weather.delay:
                await asyncio.sleep(self._weather.delay * self._chance.uniform(0.5, 1.5))
            if self._weather.torn and self._chance.random() < self._weather.torn:
                writer.write(piece[: len(piece) // 2])
                raise ConnectionResetError
            writer.write(piece)
            await writer.drain()

    def _reset(self, writer: asyncio.StreamWriter) -> None:
        self.resets += 1
        self._open.discard(writer)
        with suppress(OSError):  # the other side was quicker, and it is closed
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        writer.transport.abort()


class Network:
    """
    The proxy from the run's side.
    """

    def __init__(self, process: "subprocess.Popen[str]", names: Iterable[str]) -> None:
        self._process = process
        self._names = tuple(names)

    def set(self, target: str, weather: Weather) -> None:
        """
        The weather on every link whose name begins with ``target``.
        """
        order = {"links": [name for name in self._names if name.startswith(target)], **asdict(weather)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError("the network's process has ended")


@contextmanager
def network(links: Sequence[tuple[str, int, int]], seed: int, log: IO[str]) -> Iterator[Network]:
    """
    Runs as long as the block. Links are (name, port, port of the target); fair weather at first.
    """
    command = [sys.executable, "-m", "tests.faults.network", json.dumps(links), str(seed)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "serves\n":
                raise RuntimeError("the network did not start: its ports are taken?")
            yield Network(process, (name for name, _, _ in links))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)


async def _run(links: Sequence[tuple[str, int, int]], seed: int) -> None:
    made = {name: Link(target, random.Random(f"{seed} {name}")) for name, _, target in links}
    servers = [await made[name].serve(port) for name, port, _ in links]
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    _say("serves")
    while line := await orders.readline():
        order = json.loads(line)
        names = order.pop("links")
        for name in names:
            await made[name].set(Weather(**order))
        _say(str(sum(link.resets for link in made.values())))
    for server in servers:
        server.close()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_run(json.loads(sys.argv[1]), int(sys.argv[2])))
