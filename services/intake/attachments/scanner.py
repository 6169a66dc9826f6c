"""
Whether a file holds something known to be harmful, as a scanner beside us says; none is asked unless one is set.
"""

import asyncio
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

_PIECE: Final = 65_536


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    ``found``: the name of what is in the file; None is nothing.
    """

    found: str | None = None


class ScannerAway(Exception):
    """
    The scanner does not answer, or not as one does: nothing is taken unseen.
    """


class Scanner(Protocol):
    """
    Looks for what is harmful.
    """

    async def scan(self, raw: bytes) -> Verdict:
        """
        The verdict. Raises ``ScannerAway``.
        """


class NoScanner:
    """
    Where no scanner is set up: the look at the content is all there is.
    """

    async def scan(self, raw: bytes) -> Verdict:
        """
        Nothing is known to be in it.
        """
        return Verdict()


class ClamAV:
    """
    clamd over TCP, by its command INSTREAM: the file in pieces, each behind its length, and an empty one at the end.
    """

    def __init__(self, host: str, port: int = 3310, *, seconds: float = 20.0) -> None:
        self._host = host
        self._port = port
        self._seconds = seconds

    async def scan(self, raw: bytes) -> Verdict:
        """
        The verdict. Raises ``ScannerAway``, also for a file larger than clamd's own StreamMaxLength.
        """
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._answer(raw)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise ScannerAway from None
        if answer == "stream: OK":
            return Verdict()
        if answer.startswith("stream: ") and answer.endswith(" FOUND"):
            return Verdict(answer.removeprefix("stream: ").removesuffix(" FOUND"))
        raise ScannerAway

    async def _answer(self, raw: bytes) -> str:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            with suppress(ConnectionError):  # clamd answers and hangs up while we still write, if it has seen enough
                writer.write(b"zINSTREAM\0")
                for start in range(0, len(raw), _PIECE):
                    piece = raw[start : start + _PIECE]
                    writer.write(struct.pack(">I", len(piece)) + piece)
                    await writer.drain()
                writer.write(struct.pack(">I", 0))
                await writer.drain()
            return (await reader.readuntil(b"\0")).rstrip(b"\0").decode("ascii", "replace")
        finally:
            writer.close()
