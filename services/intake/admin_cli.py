"""
What a person asks intake on the command line: keys, crises, imports. A process that serves loads nothing of this.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from services.common.contracts.catalogue import catalogue
from services.common.kit.auth import key_hash
from services.common.kit.clock import system_clock
from services.common.kit.mongo import connect
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.intake.crises import Declarations, UnknownCrisis
from services.intake.domain import ISTANBUL, Refused
from services.intake.guard import Away, Breaker
from services.intake.keys import SCOPES, StoredKey, new_key
from services.intake.repository import AWAY, Repository
from services.intake.schemas import CrisisEnd, CrisisTaken, NewCrisis
from services.intake.settings import StoreSettings

_ADAPTER: Final = "command-line"


def _import(args: argparse.Namespace) -> None:
    from services.intake.imports.import_cli import run  # keys and crises need no reader of files

    sys.exit(run(args))


def _with_store(work: Callable[[Repository], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = StoreSettings.read()
        client = connect(settings.mongo)
        try:
            await work(Repository(client, settings.database))
        finally:
            client.close()

    asyncio.run(run())


def _words(text: str) -> frozenset[str]:
    return frozenset(word.strip() for word in text.split(",") if word.strip())


def _add(args: argparse.Namespace) -> None:
    scopes, departments = _words(args.scopes), _words(args.departments)
    if not scopes or (unknown := scopes - {*SCOPES, "*"}):
        sys.exit(
            f"--scopes needs some of {', '.join(SCOPES)} or *" + (f"; unknown: {', '.join(unknown)}" if scopes else "")
        )
    if unknown := departments - set(catalogue().departments):
        sys.exit(f"--departments: unknown: {', '.join(sorted(unknown))}")
    if ":" in args.name:
        sys.exit("--name: names with a colon are people and our own pages")
    key = args.key or new_key()
    if len(key) < 16:
        sys.exit("--key needs at least 16 characters")
    stored = StoredKey(key_hash(key), args.name, scopes, departments)
    _with_store(lambda repository: repository.add_key(stored, system_clock()))
    print(key)


def _list(_: argparse.Namespace) -> None:
    async def show(repository: Repository) -> None:
        for key in await repository.keys(revoked=True):
            departments = ",".join(sorted(key.departments)) or "-"
            state = "revoked" if key.revoked else "valid"
            print(f"{key.hash[:12]}  {state:7}  {key.name:24}  {','.join(sorted(key.scopes))}  {departments}")

    _with_store(show)


def _revoke(args: argparse.Namespace) -> None:
    async def revoke(repository: Repository) -> None:
        count = await repository.revoke_keys({*args.which, *map(key_hash, args.which)}, system_clock())
        print(f"revoked: {count}")
        if not count:
            sys.exit(1)

    _with_store(revoke)


def _with_declarations(work: Callable[[Declarations], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = StoreSettings.read()
        client, publisher = connect(settings.mongo), KafkaPublisher(settings.kafka)
        mongo = Breaker("MongoDB", AWAY, pause=1.0, limit=4.0)
        try:
            await work(Declarations(Repository(client, settings.database), publisher, mongo, system_clock))
        finally:
            await publisher.close()
            client.close()

    try:
        asyncio.run(run())
    except UnknownCrisis as error:
        sys.exit(str(error))
    except Refused as error:
        sys.exit(f"{error.field}: {error.message}")
    except ValidationError as error:
        sys.exit("; ".join(f"{row['loc'][0]}: {row['msg'].removeprefix('Value error, ')}" for row in error.errors()))
    except (Away, PublishFailed) as error:
        what = "Kafka" if isinstance(error, PublishFailed) else "MongoDB"
        sys.exit(f"{what} does not answer: please try again")


def _list_crises(_: argparse.Namespace) -> None:
    async def show(declarations: Declarations) -> None:
        for crisis in (await declarations.all()).crises:
            print(f"{crisis.name}  {'ON ' if crisis.on else 'off'}  {_span(crisis.starts_at, crisis.ends_at)}")
            print(f"    {crisis.tr} / {crisis.en}")
            print(f"    services: {', '.join(service.code for service in crisis.services) or '-'}")
            print(f"    teams: {', '.join(team.name for team in crisis.teams) or '-'}")
            for row in crisis.audit:
                who = f"{row.declared_by} ({row.adapter})"
                span = _span(row.starts_at, row.ends_at)
                print(f"    {_local(row.declared_at)}  {row.state:8}  {span}  {who}: {row.reason}")

    _with_declarations(show)


def _declare(args: argparse.Namespace) -> None:
    async def declare(declarations: Declarations) -> None:
        given = {"starts_at": args.starts_at, "ends_at": args.ends_at, "reason": args.reason, "declared_by": args.by}
        body = NewCrisis.model_validate({name: value for name, value in given.items() if value is not None})
        _say(await declarations.declare(args.name, body, _ADAPTER))

    _with_declarations(declare)


def _end(args: argparse.Namespace) -> None:
    async def end(declarations: Declarations) -> None:
        body = CrisisEnd(reason=args.reason, declared_by=args.by)
        _say(await declarations.end(args.name, body, _ADAPTER))

    _with_declarations(end)


def _say(taken: CrisisTaken) -> None:
    print(f"declared: {taken.crisis}  {_span(taken.starts_at, taken.ends_at)}")


def _span(starts_at: datetime | None, ends_at: datetime | None) -> str:
    if starts_at is None and ends_at is None:
        return "-"
    return f"{_local(starts_at) if starts_at else '…'} – {_local(ends_at) if ends_at else '…'}"


def _local(moment: datetime) -> str:
    return moment.astimezone(ISTANBUL).isoformat(timespec="minutes")


def _several(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise argparse.ArgumentTypeError("must be 1 to 64")
    return number


def run(words: Sequence[str], description: str | None) -> None:
    """
    Do what the words say. Exits 2, with the usage, where they say nothing.
    """
    parser = argparse.ArgumentParser(prog="python -m services.intake", description=description)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("worker", help="keep the read model from requests.lifecycle")
    commands.add_parser("asterisk", help="the bridge from an Asterisk (ARI) to our telephone webhook")
    commands.add_parser("mail", help="take mails from our mail server over SMTP or LMTP")
    keys = commands.add_parser("keys", help="manage API keys").add_subparsers(dest="keys_command", required=True)
    add = keys.add_parser("add", help="make a key (or take --key) and print it; it is never shown again")
    add.add_argument("--name", required=True, help="the adapter's name; a second key of a name rotates the first")
    add.add_argument("--scopes", required=True, help=f"comma separated: {', '.join(SCOPES)} or *")
    add.add_argument("--departments", default="", help="comma separated slugs for which it may speak")
    add.add_argument("--key", help="use this key instead of a new one")
    add.set_defaults(run=_add)
    keys.add_parser("list", help="all keys by the start of their hash").set_defaults(run=_list)
    revoke = keys.add_parser("revoke", help="revoke by name, key or hash; counts within 10 s")
    revoke.add_argument("which", nargs="+")
    revoke.set_defaults(run=_revoke)
    switch = commands.add_parser("crises", help="switch crises on and off, audited")
    crises = switch.add_subparsers(dest="crises_command", required=True)
    crises.add_parser("list", help="all crises, which are on, and who declared them").set_defaults(run=_list_crises)
    declare = crises.add_parser("declare", help="declare a crisis, from now on if no time is given")
    declare.add_argument("--from", dest="starts_at", metavar="TIME", help="with zone: 2026-06-03T09:00+03:00")
    declare.add_argument("--until", dest="ends_at", metavar="TIME", help="without it: until it is ended")
    end = crises.add_parser("end", help="end a crisis now")
    for one, run in ((declare, _declare), (end, _end)):
        one.add_argument("name", help="as in crises.yaml")
        one.add_argument("--reason", required=True, help="why; it stands in the audit")
        one.add_argument("--by", required=True, help="who decided it; it stands in the audit")
        one.set_defaults(run=run)
    bring = commands.add_parser("import", help="requests from a file: CSV, JSON array, JSON lines")
    bring.add_argument("file", metavar="FILE")
    bring.add_argument("--mapping", required=True, help="what its columns mean: cimer, social, partner or a YAML file")
    bring.add_argument("--dry-run", action="store_true", help="check every row and send nothing")
    bring.add_argument("--report", metavar="FILE", help="a CSV of what was refused and why")
    bring.add_argument("--key-file", metavar="FILE", help="has the API key; without it INTAKE_API_KEY is taken")
    bring.add_argument("--at-once", type=_several, default=8, metavar="N", help="rows on their way, 1 to 64; 8")
    bring.set_defaults(run=_import)
    args = parser.parse_args(words)
    args.run(args)
