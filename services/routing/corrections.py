"""
``python -m services.routing corrections export``: what people corrected, as training messages without personal data.

A correction is a request that a rule or the model placed (the desk's triage is a place too) and for which a person
decided another service, which still holds. See ``training/README.md`` for what becomes of it.
"""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from services.common.contracts.envelope import TYPE_PREFIX, decode
from services.common.contracts.events import RequestAssigned
from services.common.contracts.private import without_personal_data
from services.common.contracts.text import words
from services.common.contracts.topics import LIFECYCLE
from services.common.contracts.vocabulary import TRIAGE_SERVICE, DecidedBy, Outcome
from services.common.kit.mongo import UNAVAILABLE, connect
from services.routing.case import Case
from services.routing.repository import CaseRepository
from services.routing.settings import RoutingSettings

ZONE: Final = ZoneInfo("Europe/Istanbul")
_MACHINE: Final = (DecidedBy.RULE, DecidedBy.MODEL)
_TELLS_NOTHING: Final = (Outcome.INVALID, Outcome.CANCELLED, Outcome.NO_REPLY)
_ASSIGNED: Final = (TYPE_PREFIX + RequestAssigned.__name__).encode()


@dataclass(frozen=True, slots=True)
class Correction:
    """
    What a person decided against a machine, on which day (in Samsun). ``text`` has no personal data any more.
    """

    text: str
    service: str
    was: str
    emergency: bool
    day: date

    def line(self) -> str:
        """
        It as a line of a training file.
        """
        row = {
            "text": self.text,
            "service": self.service,
            "was": self.was,
            "emergency": self.emergency,
            "style": "correction",
            "origin": f"correction {self.day}",
        }
        return json.dumps(row, ensure_ascii=False)


def correction(case: Case) -> Correction | None:
    """
    What a person corrected in this case; None if nothing, or nothing to learn from: the sender chose the service, the
    request was split (its text is of several services), it came to nothing, or it is with the desk again.
    """
    if case.request is None or (case.parts and case.request.repeat is None):
        return None
    held = assignments(case)
    first, last = held[0], held[-1]
    if first.decided_by not in _MACHINE or last.decided_by is not DecidedBy.PERSON:
        return None
    if last.service_code in (first.service_code, TRIAGE_SERVICE) or case.parent.state.outcome in _TELLS_NOTHING:
        return None
    text = without_personal_data(case.request.text).strip()
    if not text:
        return None
    day = last.occurred_at.astimezone(ZONE).date()
    return Correction(text, str(last.service_code), str(first.service_code), case.parent.state.emergency, day)


def assignments(case: Case) -> list[RequestAssigned]:
    """
    Who held the request itself, one after the other, and who decided that.
    """
    found = []
    for entry in case.events:
        for record in entry.records:
            if record.topic != LIFECYCLE.name or dict(record.headers)["ce_type"] != _ASSIGNED:
                continue
            event = decode(record.topic, record.key, record.value, record.headers).data
            if isinstance(event, RequestAssigned) and event.request_id == case.request_id:
                found.append(event)
    return found


def distinct(made: Iterable[Correction], since: date | None = None) -> list[Correction]:
    """
    What was corrected on ``since`` or later, by day. Each text once: the last word on it counts.
    """
    by_day = sorted(made, key=lambda one: (one.day, one.text, one.service))
    last = {" ".join(words(one.text)): one for one in by_day if since is None or one.day >= since}
    return sorted(last.values(), key=lambda one: (one.day, one.text))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a day such as 2026-11-01") from None


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    found = argparse.ArgumentParser(
        prog="python -m services.routing corrections export",
        description="Write what people corrected as JSON lines for train --with-corrections, personal data removed. "
        "Read them before you train: what a pattern does not know, it leaves.",
    )
    found.add_argument("--since", type=_day, metavar="DATE", help="only what was corrected on it or later")
    found.add_argument("--out", type=Path, metavar="FILE", help="where to (default: standard output)")
    return found


async def _read(settings: RoutingSettings) -> list[Correction]:
    client = connect(settings.mongo)
    try:
        cases = CaseRepository(client, settings.database).decided_by_people()
        return [made async for case in cases if (made := correction(case)) is not None]
    finally:
        client.close()


def _write(made: Sequence[Correction], out: Path | None) -> None:
    lines = "".join(one.line() + "\n" for one in made)
    if out is None:
        sys.stdout.write(lines)
        return
    out.touch(mode=0o600)  # for its owner's eyes: a name may have stayed in it
    out.write_text(lines, encoding="utf-8")


def run(arguments: Sequence[str], settings: RoutingSettings) -> int:
    """
    Export, and say on standard error what was corrected to what. Exits 1 if MongoDB cannot be reached or the file not
    be written, 2 for another command than ``export``.
    """
    if list(arguments[:1]) != ["export"]:
        parser().print_usage(sys.stderr)
        return 2
    wanted = parser().parse_args(arguments[1:])
    try:
        made = distinct(asyncio.run(_read(settings)), wanted.since)
        _write(made, wanted.out)
    except UNAVAILABLE as error:
        sys.stderr.write(f"MongoDB cannot be reached ({type(error).__name__}): MONGODB_URI\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"--out: cannot be written ({error.strerror})\n")
        return 1
    for (was, service), count in Counter((one.was, one.service) for one in made).most_common():
        sys.stderr.write(f"{count:6}  {was} -> {service}\n")
    sys.stderr.write(f"{len(made):6}  corrections\n")
    return 0
