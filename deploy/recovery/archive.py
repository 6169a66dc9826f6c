"""
The folder of a backup: files of BSON documents one behind another, gzipped, as mongodump writes them (bsondump and
mongorestore read them), other files as they are, and last of all the manifest: without one it is no backup.

The folder holds contact data and secrets: it is its owner's alone (0700, files 0600).
"""

import gzip
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple, Protocol, cast

import bson
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST: Final = "manifest.json"
SUFFIX: Final = ".bson.gz"
_RAW: Final = CodecOptions(document_class=RawBSONDocument)
_LEVEL: Final = 3  # of gzip: twice as fast as 6, a tenth larger


class NoBackup(Exception):
    """
    The folder holds no backup, or not the one that was made; the message says what is wrong.
    """


class Kept(BaseModel):
    """
    One file of a backup. ``count``: its documents; 0 for a file that has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    count: int = Field(ge=0)
    size: int = Field(ge=0)
    sha256: str


class Manifest(BaseModel):
    """
    What a backup consists of.

    ``offsets``: by group and partition (``topic/number``), what it had acknowledged when the backup began.
    ``left_out``: by partition, the offsets of records that a restore does not bring back (``order.py``).
    ``notify_ran``: whether messages went on leaving the house meanwhile. ``notify_behind``: how many events it had not
    written down when its database was copied.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    form: Literal[1] = 1
    began_at: datetime
    ended_at: datetime
    notify_ran: bool
    notify_behind: int
    offsets: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, tuple[int, ...]]
    files: Mapping[str, Kept]


class Copied(NamedTuple):
    """
    A record as it stood on its topic. ``at``: its timestamp, in milliseconds.
    """

    partition: int
    offset: int
    at: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class FromKafka(Protocol):
    """
    What a client gives.
    """

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Any


def copied(record: FromKafka) -> Copied:
    """
    A record as a client gives it.
    """
    headers = tuple(record.headers or ())
    return Copied(record.partition, record.offset, record.timestamp, record.key, record.value, headers)


def packed(record: Copied) -> bytes:
    """
    A record as a document.
    """
    headers = [[name, value] for name, value in record.headers]
    named = {"p": record.partition, "o": record.offset, "t": record.at, "k": record.key, "v": record.value}
    return bson.encode({**named, "h": headers})


def unpacked(document: Mapping[str, Any]) -> Copied:
    """
    The inverse of ``packed``, after decoding.
    """
    headers = tuple((name, value) for name, value in document["h"])
    partition, offset, at = (int(document[name]) for name in "pot")  # 64 bits come as a type of bson's own
    return Copied(partition, offset, at, document["k"], document["v"], headers)


class Folder:
    """
    A backup's folder. What is written is on disk when the call returns.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, Kept] = {}

    # --- writing ---

    def make(self) -> None:
        """
        Make the folder, its owner's alone. Raises ``NoBackup`` if something is in it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(self.path.iterdir()):
            raise NoBackup(f"{self.path} is not empty: a backup goes into a folder of its own")
        self.path.chmod(0o700)

    def write(self, name: str, documents: Iterable[bytes]) -> int:
        """
        Write a file of documents, each as its BSON bytes; gives how many there were.
        """
        count = 0
        with os.fdopen(self._open(name), "wb") as raw:
            with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL, mtime=0) as file:
                for document in documents:
                    file.write(document)
                    count += 1
            raw.flush()
            self._done(name, raw.fileno(), count)
        return count

    def put(self, name: str, content: bytes) -> None:
        """
        Write a file as it is.
        """
        with os.fdopen(self._open(name), "wb", buffering=0) as raw:
            raw.write(content)
            self._done(name, raw.fileno(), 0)

    def seal(self, manifest: Manifest) -> Manifest:
        """
        Add what was written to the manifest and write it: from now on this is a backup.
        """
        whole = manifest.model_copy(update={"files": dict(self._files)})
        draft = self.path / f"{MANIFEST}.part"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as raw:
            raw.write(whole.model_dump_json(indent=1).encode())
            os.fsync(raw.fileno())
        draft.replace(self.path / MANIFEST)
        _sync_folder(self.path)
        return whole

    def _open(self, name: str) -> int:
        path = self.path / name
        for folder in reversed(path.relative_to(self.path).parents[:-1]):
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def _done(self, name: str, descriptor: int, count: int) -> None:
        os.fsync(descriptor)
        path = self.path / name
        _sync_folder(path.parent)
        self._files[name] = Kept(count=count, size=path.stat().st_size, sha256=_digest(path))

    # --- reading ---

    def manifest(self) -> Manifest:
        """
        The manifest. Raises ``NoBackup``.
        """
        try:
            return Manifest.model_validate_json((self.path / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise NoBackup(f"{self.path} has no {MANIFEST}: no backup, or one that did not come to its end") from None
        except ValidationError as error:
            raise NoBackup(f"{self.path / MANIFEST} cannot be read: {error.error_count()} errors") from None

    def check(self, manifest: Manifest) -> Iterator[str]:
        """
        Look at every file, yielding its name. Raises ``NoBackup`` for the first that is not as it was written.
        """
        for name, kept in sorted(manifest.files.items()):
            path = self.path / name
            if not path.is_file():
                raise NoBackup(f"{path} is missing")
            if path.stat().st_size != kept.size or _digest(path) != kept.sha256:
                raise NoBackup(f"{path} is not as it was written: take another copy of the backup")
            yield name

    def read(self, name: str) -> Iterator[dict[str, Any]]:
        """
        The documents of a file.
        """
        with gzip.open(self.path / name) as file:
            yield from bson.decode_file_iter(cast(IO[bytes], file))

    def raw(self, name: str) -> Iterator[RawBSONDocument]:
        """
        The same, as their bytes.
        """
        with gzip.open(self.path / name) as file:
            yield from bson.decode_file_iter(cast(IO[bytes], file), _RAW)

    def records(self, name: str) -> Iterator[Copied]:
        """
        The records of a topic's file, of each partition in their order.
        """
        return map(unpacked, self.read(name))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
