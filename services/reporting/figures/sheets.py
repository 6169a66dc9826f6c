"""
A sheet: the facts of one local day's requests and parts, as bytes. Pure.

The bytes are Arrow's stream format, compressed as a whole, since it spends much on 50 columns however few the rows.
Words are written as texts, so that equal facts are equal bytes whatever else the process has seen. A sheet of 1 row has
1.5 KB, of 75 rows 5 KB, of 900 rows 40 KB. Those of more than 1,000 documents are made, and kept, in several parts,
each of which is such bytes.
"""

import io
import zlib
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import polars as pl
from polars import selectors

from services.reporting.figures.facts import MEANING, SCHEMA, WORD

_KEPT_AS: Final = 2
"""To be raised when sheets are kept in another way: all are made again."""


def encode(frame: pl.DataFrame) -> bytes:
    """
    A frame of ``SCHEMA`` as bytes.
    """
    stream = io.BytesIO()
    frame.cast({selectors.categorical(): pl.String()}).write_ipc_stream(stream, compression="uncompressed")
    return zlib.compress(stream.getvalue())


def decode(parts: Iterable[bytes], names: Sequence[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """
    The columns ``names`` of a sheet's parts, at least one, or of several sheets' parts, in their order; what a part has
    not got, because older code wrote it, is null.
    """
    wanted = pl.Schema({name: SCHEMA[name] for name in names})
    return pl.concat([_read(part, wanted) for part in parts]).cast(wanted).rechunk()


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
    What a sheet's facts mean beside the documents: their columns, their meaning, and the file of the city's calendar;
    and how they are kept. A sheet of another form is made again.
    """
    return digest(repr((_KEPT_AS, MEANING, [(name, str(kind)) for name, kind in SCHEMA.items()], calendar)).encode())
