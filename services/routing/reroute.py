"""
``python -m services.routing reroute``: apply edited rules to requests that nobody has taken up yet. Only on demand.
"""

import argparse
import asyncio
import getpass
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from services.common.contracts.envelope import Metadata, Record, encode
from services.common.contracts.events import RerouteAsked
from services.common.contracts.ids import derived_id, grouped
from services.common.contracts.topics import COMMANDS
from services.common.kit.clock import system_clock
from services.common.kit.mongo import UNAVAILABLE, connect
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.routing.case import SOURCE, Case, Rules
from services.routing.choosing import Choice
from services.routing.domain import better_place
from services.routing.repository import CaseRepository
from services.routing.settings import RoutingSettings

SHOWN: Final = 20


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    found = argparse.ArgumentParser(
        prog="python -m services.routing reroute",
        description="Ask the rules again for requests that a rule sent where they are and that nobody has taken up. "
        "Shows what would move; moves it only with --apply. What a person or the sender decided stays.",
    )
    found.add_argument("--from", dest="department", metavar="SLUG", help="only what this department holds")
    found.add_argument("--service", metavar="CODE", help="only what has this service")
    found.add_argument("--apply", action="store_true", help="move them: one RerouteAsked each, decided by routing")
    found.add_argument("--by", default=None, metavar="NAME", help="who asks (default: the user who is logged in)")
    return found


def moves(cases: Iterable[Case], at: datetime, rules: Rules, wanted: argparse.Namespace) -> list[tuple[Case, Choice]]:
    """
    The cases that would go elsewhere, each with where.
    """
    found = []
    for case in cases:
        choice = better_place(case, at, rules)
        state = case.parent.state if choice else None
        if choice is None or state is None:
            continue
        if wanted.department in (None, state.department) and wanted.service in (None, state.service_code):
            found.append((case, choice))
    return found


def question(case: Case, asked_at: datetime, asked_by: str) -> Record:
    """
    The command for one case.
    """
    meta = Metadata(
        id=derived_id(case.request_id, "reroute", asked_at.isoformat(), asked_by),
        source=SOURCE,
        time=asked_at,
        subject=case.request_id,
        correlation_id=case.request_id,
        causation_id=case.request_id,
    )
    return encode(COMMANDS, meta, RerouteAsked(request_id=case.request_id, asked_at=asked_at, asked_by=asked_by))


async def _run(settings: RoutingSettings, rules: Rules, wanted: argparse.Namespace) -> int:
    now = system_clock()
    client = connect(settings.mongo)
    try:
        repository = CaseRepository(client, settings.database)
        rules = replace(rules, declared=await repository.declared())
        found = moves([case async for case in repository.placed_by_machine()], now, rules, wanted)
    finally:
        client.close()
    _show(found)
    if not found or not wanted.apply:
        print("nothing would move" if not found else "nothing was moved: --apply moves them")
        return 0
    publisher = KafkaPublisher(settings.kafka)
    await publisher.start([COMMANDS.name])
    try:
        by = wanted.by or getpass.getuser()
        await asyncio.gather(*(publisher.publish(question(case, now, by)) for case, _ in found))
    finally:
        await publisher.close()
    print(f"asked for {len(found)}; routing decides each again and moves it if it is still untouched")
    return 0


def _show(found: Sequence[tuple[Case, Choice]]) -> None:
    counts = Counter(
        (case.parent.state.department, case.parent.state.service_code, choice.department, choice.service, choice.rule)
        for case, choice in found
    )
    for (department, service, to, code, rule), count in counts.most_common():
        print(f"{count:6}  {department}/{service} -> {to}/{code}   by {rule}")
    for case, choice in found[:SHOWN]:
        print(f"        {grouped(case.request_id)}  {choice.department}/{choice.service} {choice.priority}")
    if len(found) > SHOWN:
        print(f"        and {len(found) - SHOWN} more")


def run(arguments: Sequence[str], settings: RoutingSettings, rules: Rules) -> int:
    """
    Show, and with ``--apply`` ask. Exits 1 if MongoDB or Kafka cannot be reached.
    """
    wanted = parser().parse_args(arguments)
    known = rules.book.catalogue
    if wanted.department is not None and wanted.department not in known.departments:
        sys.stderr.write(f"--from: no department {wanted.department!r}\n")
        return 2
    if wanted.service is not None and wanted.service not in known.services:
        sys.stderr.write(f"--service: no service {wanted.service!r}\n")
        return 2
    try:
        return asyncio.run(_run(settings, rules, wanted))
    except UNAVAILABLE as error:
        sys.stderr.write(f"MongoDB cannot be reached ({type(error).__name__}): MONGODB_URI\n")
    except PublishFailed:
        sys.stderr.write("Kafka did not acknowledge: run it again, a repeat does no harm\n")
    return 1
