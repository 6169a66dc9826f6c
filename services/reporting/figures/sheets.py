"""
A sheet: the facts of one local day's requests and parts, as bytes. Pure.

The bytes are Arrow's stream format, compressed as a whole, since it spends much on 50 columns however few the rows.
Words are written as texts, so that equal facts are equal bytes whatever else the process has seen. A sheet of 1 row has
1.5 KB, of 75 rows 5 KB, of 900 rows 40 KB.
"""

import io
import zlib
from collections.abc import Sequence
from hashlib import blake2b

import polars as pl
from polars import selectors

from services.reporting.figures.facts import MEANING, SCHEMA


def encode(frame: pl.DataFrame) -> bytes:
    """
    A frame of ``SCHEMA`` as bytes.
    """
    stream = io.BytesIO()
    frame.cast({selectors.categorical(): pl.String()}).write_ipc_stream(stream, compression="uncompressed")
    return zlib.compress(stream.getvalue())


def decode(content: bytes, names: Sequence[str] = tuple(SCHEMA)) -> pl.DataFrame:
    """
    The columns ``names`` of a frame; what the sheet has not got, because older code wrote it, is null.
    """
    frame = pl.read_ipc_stream(io.BytesIO(zlib.decompress(content)))
    there = set(frame.columns)
    return frame.select(
        pl.col(name).cast(SCHEMA[name]) if name in there else pl.lit(None, SCHEMA[name]).alias(name) for name in names
    )


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
