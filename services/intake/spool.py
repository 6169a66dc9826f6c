"""
The spool: accepted inputs on disk while Kafka cannot take them, in the order in which they were accepted.

A folder with segments (``000000000001.spool`` …, entries as frames.py has them), only ever appended to, and
``position``: up to where Kafka has acknowledged. A segment is removed as soon as all of it is acknowledged; until then
contacts stand in it, so it is readable by its owner alone. What a crash can do:

- in the middle of a write: the torn tail is cut at the next opening; nobody was told that it is kept;
- after a write, before the answer: the entry is kept, the caller sends again and gets the same answer;
- between acknowledgement and position: the entry is published again, with the same bytes and ce_id.

An entry that does not match its checksum and has readable ones behind it is no torn tail but damage: what can be read
is kept, the file stays beside as ``….damaged`` for a person, and it is logged as an error.
"""

import asyncio
import fcntl
import os
import shutil
import struct
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar
from zlib import crc32

from services.common.kit.logs import logger
from services.intake.domain import Accepted
from services.intake.frames import Entry, pack, unpack
from services.intake.guard import Together

log = logger(__name__)
T = TypeVar("T")
_SEGMENTS: Final = 16  # of so many the bound allows; one is removed at a time
_READ_BYTES: Final = 1_048_576
_POSITION: Final = struct.Struct(">QQI")


class SpoolInUse(Exception):
    """
    Another process has this spool.
    """


class SpoolFull(Exception):
    """
    The bound is reached or the disk takes no more. Nothing of the entry is in the spool.
    """


class _Waiting(NamedTuple):
    """
    An entry that is not acknowledged yet.
    """

    segment: int
    start: int
    end: int
    id: str
    fingerprint: str | None  # None if a repeat cannot be recognised
    at: float


@dataclass(slots=True)
class _Segment:
    """
    The file that is appended to. What lies behind ``size`` does not count.
    """

    number: int
    descriptor: int
    size: int = 0
    lasting: bool = False  # whether its name in the folder outlives a crash


class Spool:
    """
    One folder's spool; it belongs to one process at a time. Opening it finds everything that was ever kept and not
    acknowledged. All work on files is done by one thread, so nothing ever sees a half-done step.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """
        Open the spool. Raises ``SpoolInUse`` if another process has it.
        """
        self._folder = folder
        self._max_bytes = max_bytes
        self._sizes: dict[int, int] = {}
        self._waiting: deque[_Waiting] = deque()
        self._fingerprints: dict[str, str] = {}
        self._active: _Segment | None = None
        self._refused = False
        self._filled = asyncio.Event()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(folder.parent)
        self._lock = _locked(folder)
        self._position = os.open(folder / "position", os.O_RDWR | os.O_CREAT, 0o600)
        self._last_number = 0
        self._recover()
        self._thread = ThreadPoolExecutor(1, "spool")
        self._appends = Together(self._append_together)

    # --- what it tells ---

    @property
    def entries(self) -> int:
        """
        How many wait.
        """
        return len(self._waiting)

    @property
    def size(self) -> int:
        """
        How many bytes of the disk it takes.
        """
        return sum(list(self._sizes.values()))

    @property
    def limit(self) -> int:
        """
        How many bytes of the disk it may take.
        """
        return self._max_bytes

    @property
    def disk_free(self) -> int:
        """
        How many bytes of its disk nobody has taken.
        """
        return shutil.disk_usage(self._folder).free

    @property
    def full(self) -> bool:
        """
        Whether the last entry could not be taken, and nothing became free since.
        """
        return self._refused

    def oldest(self) -> float | None:
        """
        When the entry that waits longest was accepted.
        """
        try:
            return self._waiting[0].at
        except IndexError:
            return None

    def fingerprint(self, number: str) -> str | None:
        """
        Which body waits under an id that derives from the caller's key.
        """
        return self._fingerprints.get(number)

    def keyed(self) -> dict[str, str]:
        """
        All waiting ids that derive from a caller's key, with their fingerprints.
        """
        return dict(self._fingerprints)

    # --- in and out ---

    async def append(self, accepted: Accepted, at: float) -> None:
        """
        Return when the input is on the disk for good. Raises ``SpoolFull``; then nothing of it is kept.

        Whoever asks while a write is under way goes into the next one together with all others: one fsync for all.
        """
        try:
            taken = await self._appends.ask(Entry(accepted, at))
        except OSError as error:
            if not self._refused:
                log.error("the disk takes nothing", error=type(error).__name__, errno=error.errno)
            self._refused = True
            raise SpoolFull from error
        if not taken:
            if not self._refused:
                log.error("the spool is full", bytes=self.size, max_bytes=self._max_bytes)
            self._refused = True
            raise SpoolFull
        self._refused = False
        self._filled.set()

    async def some(self) -> None:
        """
        Return when an entry waits.
        """
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()

    async def head(self, at_most: int) -> Sequence[Accepted]:
        """
        The entries that wait longest, in order.
        """
        return await self._do(lambda: self._head(at_most))

    async def advance(self, count: int) -> None:
        """
        The first so many entries are acknowledged: let go of them.
        """
        if count:
            await self._do(lambda: self._advance(count))

    def close(self) -> None:
        """
        Finish what is under way and leave the rest to the next opening.
        """
        self._thread.shutdown(wait=True)
        self._let_go_of_active()
        os.close(self._position)
        os.close(self._lock)

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- all below is done by one thread ---

    async def _append_together(self, entries: list[Entry]) -> Sequence[bool]:
        return await self._do(lambda: self._append(entries))

    def _append(self, entries: Sequence[Entry]) -> Sequence[bool]:
        frames = [pack(entry) for entry in entries]
        room, taken = self._max_bytes - self.size, []
        for frame in frames:
            taken.append(len(frame) <= room)
            room -= len(frame) if taken[-1] else 0
        data = b"".join(frame for frame, fits in zip(frames, taken, strict=True) if fits)
        if data:
            segment = self._write(data)
            for entry, frame, fits in zip(entries, frames, taken, strict=True):
                if fits:
                    self._note(segment.number, segment.size, segment.size + len(frame), entry)
                    segment.size += len(frame)
            self._sizes[segment.number] = segment.size
        return taken

    def _write(self, data: bytes) -> _Segment:
        """
        Write behind what counts, and fsync; if that fails, take all of it away again.
        """
        segment = self._segment()
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(segment.descriptor, data[done:], segment.size + done)
            os.fdatasync(segment.descriptor)
        except OSError:
            try:
                os.ftruncate(segment.descriptor, segment.size)
                os.fdatasync(segment.descriptor)
            except OSError as error:
                log.error("what was half written stays", segment=segment.number, error=type(error).__name__)
                self._let_go_of_active()
            raise
        return segment

    def _segment(self) -> _Segment:
        """
        The segment to append to: a new one if there is none or it has grown enough.
        """
        if self._active is not None and self._active.size >= self._max_bytes // _SEGMENTS:
            self._let_go_of_active()
        if self._active is None:
            number = self._last_number + 1
            self._active = _Segment(number, os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            self._last_number = number
            self._sizes[number] = 0
        if not self._active.lasting:
            os.fsync(self._lock)  # the folder: the file itself must outlive a crash too
            self._active.lasting = True
        return self._active

    def _note(self, segment: int, start: int, end: int, entry: Entry) -> None:
        accepted = entry.accepted
        print_of_body = accepted.fingerprint if accepted.keyed else None
        self._waiting.append(_Waiting(segment, start, end, accepted.id, print_of_body, entry.at))
        if print_of_body is not None:
            self._fingerprints[accepted.id] = print_of_body

    def _head(self, at_most: int) -> Sequence[Accepted]:
        if not self._waiting:
            return []
        first = last = self._waiting[0]
        for place in range(1, min(at_most, len(self._waiting))):
            following = self._waiting[place]
            if following.segment != first.segment or following.end - first.start > _READ_BYTES:
                break
            last = following
        with self._path(first.segment).open("rb") as file:
            file.seek(first.start)
            found = [one.entry.accepted for one in unpack(file.read(last.end - first.start))]
        if [one.id for one in found] != [one.id for one, _ in zip(self._waiting, found, strict=False)]:
            raise OSError(f"segment {first.segment} is not what was written: a restart keeps what can be read")
        return found

    def _advance(self, count: int) -> None:
        for _ in range(count):
            last = self._waiting.popleft()
            if last.fingerprint is not None:
                self._fingerprints.pop(last.id, None)
        try:
            os.pwrite(self._position, _position(last.segment, last.end), 0)
        except OSError as error:  # then a crash publishes them again, with the same bytes
            log.warning("the position cannot be written", error=type(error).__name__)
        first = self._waiting[0].segment if self._waiting else self._last_number + 1
        for number in [number for number in self._sizes if number < first]:
            if self._active is not None and self._active.number == number:
                self._let_go_of_active()
            self._path(number).unlink(missing_ok=True)
            del self._sizes[number]
            self._refused = False

    def _let_go_of_active(self) -> None:
        if self._active is not None:
            os.close(self._active.descriptor)
            self._active = None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:012d}.spool"

    # --- at opening ---

    def _recover(self) -> None:
        number_at, offset_at = _read_position(os.pread(self._position, _POSITION.size, 0))
        if not number_at:
            with suppress(OSError):  # so that later, on a full disk, it is already there
                os.pwrite(self._position, _position(0, 0), 0)
        numbers = sorted(int(path.stem) for path in self._folder.glob("*.spool"))
        self._last_number = max([number_at, *numbers])
        for number in numbers:
            before = len(self._waiting)
            if number >= number_at:
                offset = offset_at if number == number_at else 0
                self._recover_segment(number, offset, is_last=number == numbers[-1])
            if len(self._waiting) == before:
                self._sizes.pop(number, None)
                self._path(number).unlink()
        if self._waiting:
            log.warning("the spool holds what Kafka has not acknowledged", entries=self.entries, bytes=self.size)

    def _recover_segment(self, number: int, offset: int, *, is_last: bool) -> None:
        path = self._path(number)
        data = path.read_bytes()
        end, damaged = 0, False
        for found in unpack(data):
            damaged = damaged or found.start != end
            end = found.end
            if found.start >= offset:
                self._note(number, found.start, found.end, found.entry)
        if damaged or (end < len(data) and not is_last):
            log.error("a segment is damaged: what can be read is kept, the file stays beside", segment=number)
            path.with_suffix(".damaged").unlink(missing_ok=True)
            path.with_suffix(".damaged").hardlink_to(path)
        elif end < len(data):
            log.warning("a torn tail is cut", segment=number, bytes=len(data) - end)
            with path.open("r+b") as file:
                file.truncate(end)
                os.fsync(file.fileno())
        self._sizes[number] = len(data) if damaged else end


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SpoolInUse(f"another intake uses {folder}: each instance needs an INTAKE_DATA_DIR of its own") from None
    return descriptor


def _position(segment: int, offset: int) -> bytes:
    return _POSITION.pack(segment, offset, crc32(struct.pack(">QQ", segment, offset)))


def _read_position(data: bytes) -> tuple[int, int]:
    """
    Segment and offset; (0, 0), which is before everything, if they cannot be read.
    """
    if len(data) == _POSITION.size:
        segment, offset, _ = _POSITION.unpack(data)
        if data == _position(segment, offset):
            return segment, offset
    return 0, 0
