"""
``python -m services.intake`` serves HTTP; ``worker`` keeps the read model; ``keys add|list|revoke`` manages API keys.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable

from services.common.contracts.catalogue import catalogue
from services.common.kit import logs
from services.common.kit.auth import key_hash
from services.common.kit.clock import system_clock
from services.common.kit.mongo import connect
from services.intake.keys import SCOPES, StoredKey, new_key
from services.intake.repository import Repository
from services.intake.settings import IntakeSettings, StoreSettings


def _serve() -> None:
    from services.common.kit.http import serve
    from services.intake.api import create_app
    from services.intake.wiring import parts_of

    settings = IntakeSettings()
    logs.configure(settings.logs, "intake")
    serve(create_app(parts_of(settings)), settings.host, settings.port, settings.logs)


def _work() -> None:
    from services.common.kit.worker import run_worker  # Faust is loaded by the process that needs it
    from services.intake.worker import worker

    settings = IntakeSettings()
    logs.configure(settings.logs, "intake-worker")
    sys.argv = sys.argv[:1]  # Faust reads the command line too
    run_worker(worker(settings), settings.kafka, settings.logs, settings.worker)


def _with_store(work: Callable[[Repository], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = StoreSettings()
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


def main() -> None:
    """
    Read the command line and do it.
    """
    parser = argparse.ArgumentParser(prog="python -m services.intake", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("worker", help="keep the read model from requests.lifecycle")
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
    args = parser.parse_args()
    if args.command == "keys":
        args.run(args)
    elif args.command == "worker":
        _work()
    else:
        _serve()


if __name__ == "__main__":
    main()
