"""
A sheet: the facts of one local day's requests and parts, as bytes. Pure.

The bytes are Arrow's stream format, compressed as a whole, since it spends much on 50 columns however few the rows.
Words are written as texts, so that equal facts are equal bytes whatever else the process has seen. A sheet of 1 row has
1.5 KB, of 75 rows 5 KB, of 900 rows 40 KB. Those of more than 1,000 documents are made, and kept, in several parts.
"""

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import polars as pl
from polars import selectors

from services.reporting.figures.facts import MEANING, SCHEMA, WORD

_ZLIB: Final = b"\x78"
_LENGTH: Final = 4  # bytes, of which the first is never that of zlib: MongoDB's documents end at 16 MB


def encode(frame: pl.DataFrame) -> bytes:
    """
    A frame of ``SCHEMA`` as bytes.
    """
    stream = io.BytesIO()
    frame.cast({selectors.categorical(): pl.String()}).write_ipc_stream(stream, compression="uncompressed")
    return zlib.compress(stream.getvalue())


def join(parts: Sequence[bytes]) -> bytes:
    """
    Frames as bytes, at least one, to be read as one frame in their order; what one frame is as bytes is that itself.
    """
    if len(parts) == 1:
        return parts[0]
    return b"".join(len(part).to_bytes(_LENGTH) + part for part in parts)


def decode(content: bytes, names: Sequence[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """
    The columns ``names`` of a frame; what the sheet has not got, because older code wrote it, is null.
    """
    return decode_all([content], names)


def decode_all(contents: Iterable[bytes], names: Sequence[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """
    The same for several, at least one, in their order.
    """
    wanted = pl.Schema({name: SCHEMA[name] for name in names})
    frames = [_read(part, wanted) for content in contents for part in parts_of(content)]
    return pl.concat(frames).cast(wanted).rechunk()


def parts_of(content: bytes) -> Iterator[bytes]:
    """
    The inverse of ``join``.
    """
    if content.startswith(_ZLIB):
        yield content
        return
    at = 0
    while at < len(content):
        begin = at + _LENGTH
        at = begin + int.from_bytes(content[at:begin])
        yield content[begin:at]


def _read(content: bytes, wanted: Mapping[str, pl.DataType]) -> pl.DataFrame:
    frame = pl.read_ipc_stream(io.BytesIO(zlib.decompress(content)))
    missing = {name: kind for name, kind in wanted.items() if name not in frame.columns}
    nulls = [pl.lit(None, pl.String() if kind == WORD else kind).alias(name) for name, kind in missing.items()]
    return (frame.with_columns(nulls) if nulls else frame).select(list(wanted))


def digest(content: bytes) -> str:
    """
    What tells one content from another.
    """
    return blake2b(content, digest_size=16).hexdigest()


def form_of(calendar: bytes) -> str:
    """
    What a sheet's facts mean beside the documents: their columns, their meaning, and the file of the city's calendar.
    A sheet of another form is made again.
    """
    return digest(repr((MEANING, [(name, str(kind)) for name, kind in SCHEMA.items()], calendar)).encode())
