"""
Files are looked at in a process each: two at a time, each within its memory and time (``decoder``).
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from services.intake.attachments.kinds import Kind, Unfit, kind_of

_ROOT: Final = Path(__file__).parents[3]
_COMMAND: Final = (sys.executable, "-m", "services.intake.attachments.decoder")
_DAMAGED: Final = "is damaged, or made to break what opens it: send another one"
_MOST_TOLD: Final = 16 * 1_048_576


@dataclass(frozen=True, slots=True)
class Looked:
    """
    What is known of a file: its size as seen and its copies (a PDF has none), and what its camera says of it.
    ``peak_kib``: how much memory the look took.
    """

    kind: Kind
    width: int | None
    height: int | None
    public: bytes
    thumb: bytes
    taken_at: datetime | None
    position: tuple[float, float] | None
    peak_kib: int


class WorkshopFull(Exception):
    """
    No process can be had for it now, or none that gets on: send it again.
    """


class Workshop:
    """
    Looks at files. A file that breaks its process, or uses up its time, is not taken. ``seconds`` is the time on the
    wall: what takes longer has not had its time yet, because the machine has too much to do.
    """

    def __init__(self, *, at_once: int = 2, seconds: float = 60.0, command: Sequence[str] = _COMMAND) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._seconds = seconds
        self._command = command

    async def look(self, raw: bytes) -> Looked:
        """
        What the file is. Raises ``Unfit``, or ``WorkshopFull``.
        """
        kind_of(raw)  # what is nothing of ours needs no process to say so
        async with self._places:
            told = await self._told(raw)
        line, _, copies = told.partition(b"\n")
        if not line:
            raise Unfit(_DAMAGED)
        facts = json.loads(line)
        if "unfit" in facts:
            raise Unfit(facts["unfit"])
        public = facts["public"]
        return Looked(
            kind=Kind(facts["media_type"]),
            width=facts.get("width"),
            height=facts.get("height"),
            public=copies[:public],
            thumb=copies[public : public + facts["thumb"]],
            taken_at=datetime.fromisoformat(facts["taken_at"]) if facts.get("taken_at") else None,
            position=tuple(facts["position"]) if facts.get("position") else None,
            peak_kib=facts["peak_kib"],
        )

    async def _told(self, raw: bytes) -> bytes:
        """
        What the process said, or nothing if it broke. Raises ``WorkshopFull``.
        """
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=nowhere, cwd=_ROOT, env={}, limit=_MOST_TOLD
            )
        except OSError:
            raise WorkshopFull from None
        try:
            async with asyncio.timeout(self._seconds):
                told, _ = await process.communicate(raw)
        except TimeoutError:
            raise WorkshopFull from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return told if process.returncode == 0 else b""
