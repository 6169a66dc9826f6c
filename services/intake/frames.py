"""
How accepted inputs stand in a spool file: as bytes that show by themselves where one begins and whether it is whole.

An entry is a mark, its length, a CRC-32 over the length and the payload, and the payload: JSON with all records of one
accepted input. The mark's first byte never occurs in UTF-8, so it cannot stand inside a payload. Pure.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import orjson

from services.common.contracts.envelope import Record
from services.intake.domain import Accepted

_MARK: Final = b"\xffILK"
_HEAD: Final = struct.Struct(">4sII")
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Entry:
    """
    An accepted input and when it was (seconds since 1970).
    """

    accepted: Accepted
    at: float


@dataclass(frozen=True, slots=True)
class Found:
    """
    An entry and where it stands in the file.
    """

    start: int
    end: int
    entry: Entry


def pack(entry: Entry) -> bytes:
    """
    The bytes of an entry.
    """
    accepted = entry.accepted
    payload = orjson.dumps(
        {
            "id": accepted.id,
            "fingerprint": accepted.fingerprint,
            "keyed": accepted.keyed,
            "at": entry.at,
            "records": [
                [
                    record.topic,
                    record.key.decode(),
                    None if record.value is None else record.value.decode(),
                    [[name, value.decode()] for name, value in record.headers],
                ]
                for record in accepted.records
            ],
        }
    )
    return _HEAD.pack(_MARK, len(payload), _checksum(payload)) + payload


def unpack(data: bytes) -> Iterator[Found]:
    """
    Every whole entry in order; whatever lies between or behind them is passed over.
    """
    place = 0
    while (start := data.find(_MARK, place)) >= 0:
        payload = _payload(data, start)
        if payload is None:
            place = start + 1
        else:
            place = start + _HEAD.size + len(payload)
            yield Found(start, place, _entry(payload))


def _payload(data: bytes, start: int) -> bytes | None:
    begin = start + _HEAD.size
    if begin > len(data):
        return None
    _, length, checksum = _HEAD.unpack_from(data, start)
    payload = data[begin : begin + length]
    return payload if len(payload) == length and _checksum(payload) == checksum else None


def _checksum(payload: bytes) -> int:
    return crc32(payload, crc32(_LENGTH.pack(len(payload))))


def _entry(payload: bytes) -> Entry:
    row = orjson.loads(payload)
    records = tuple(
        Record(
            topic,
            key.encode(),
            None if value is None else value.encode(),
            tuple((name, text.encode()) for name, text in headers),
        )
        for topic, key, value, headers in row["records"]
    )
    return Entry(Accepted(row["id"], row["fingerprint"], row["keyed"], records), row["at"])
