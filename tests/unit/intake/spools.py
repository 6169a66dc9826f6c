"""
Inputs for the spool, and a program that fills one until it is killed or the disk is full.

``python -m tests.unit.intake.spools FOLDER [LIMIT]`` prints each id as soon as it is kept; files may not grow beyond
LIMIT bytes, which the system enforces as it does for a full disk.
"""

import asyncio
import itertools
import resource
import sys
from pathlib import Path

from services.common.contracts.envelope import Record
from services.intake.domain import Accepted
from services.intake.spool import Spool, SpoolFull


def accepted(number: int | str, key: str | None = None, size: int = 10) -> Accepted:
    """
    A keyed input of two records, the request keyed ``key`` (by default like nobody else's).
    """
    headers = (("ce_id", f"event-{number}".encode()), ("ce_type", "ğ".encode()))
    request = Record(
        "requests.received", (key or f"r-{number}").encode(), f'{{"text":"{"ş" * size}"}}'.encode(), headers
    )
    contact = Record("contacts", f"c-{number}".encode(), b"{}", headers)
    return Accepted(f"id-{number}", f"print-{number}", True, (contact, request))


async def fill(folder: Path) -> None:
    """
    Keep one after the other and say so.
    """
    spool = Spool(folder, 100_000_000)
    for number in itertools.count():
        try:
            await spool.append(accepted(number, size=200), number)
        except SpoolFull:
            return
        print(f"id-{number}", flush=True)  # noqa: T201 - this is the answer that the caller got


if __name__ == "__main__":
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    asyncio.run(fill(Path(sys.argv[1])))
