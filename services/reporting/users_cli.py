"""
``python -m services.reporting users …``: accounts from the command line, for the first administrator and for scripts.

    users list
    users add USER --name NAME --role ROLE… [--department SLUG…]
    users roles USER --role ROLE… [--department SLUG…]
    users reset USER
    users disable USER | users enable USER
    users import

``add`` and ``reset`` print a first password, which the person changes at the first sign-in. ``import`` reads a JSON
list of {user, name, roles, departments?, password?} and adds who is not there yet; others only get the password.

Passwords never stand on the command line, where other users of the machine see them.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from services.common.contracts.roles import Role
from services.common.kit.clock import system_clock
from services.common.kit.mongo import connect
from services.reporting.accounts import Accounts
from services.reporting.people import Account, BadAccount, folded_user
from services.reporting.people_repository import PeopleRepository
from services.reporting.settings import UsersSettings


class UsersCli:
    """
    The commands. What they say goes to ``out``.
    """

    def __init__(self, accounts: Accounts, repository: PeopleRepository, out: TextIO) -> None:
        self._accounts = accounts
        self._repository = repository
        self._out = out

    async def run(self, arguments: argparse.Namespace, given: str) -> None:
        """
        Do one command. Raises ``BadAccount``.
        """
        match arguments.command:
            case "list":
                for account in await self._repository.accounts():
                    self._say(_line(account))
            case "add":
                account, first = await self._accounts.add(
                    user=arguments.user,
                    name=arguments.name,
                    roles=frozenset(arguments.role),
                    departments=frozenset(arguments.department),
                )
                self._say(f"{account.user}: first password {first}")
            case "roles":
                account = await self._known(arguments.user)
                changed = await self._accounts.grant(
                    account.id, account.name, frozenset(arguments.role), frozenset(arguments.department)
                )
                self._say(_line(changed))
            case "reset":
                account = await self._known(arguments.user)
                self._say(f"{account.user}: first password {await self._accounts.reset_password(account.id)}")
            case "disable" | "enable":
                account = await self._known(arguments.user)
                disabled = arguments.command == "disable"
                self._say(_line(await self._accounts.disable(account.id, disabled=disabled)))
            case "import":
                for row in _rows(given):
                    await self._take_over(row)

    async def _take_over(self, row: dict[str, Any]) -> None:
        password = row.get("password")
        found = await self._repository.account_of(folded_user(row["user"]))
        if found is None:
            account, first = await self._accounts.add(
                user=row["user"],
                name=row["name"],
                roles=frozenset(map(Role, row["roles"])),
                departments=frozenset(row.get("departments", ())),
                password=password,
                must_change=password is None,
            )
            self._say(f"{account.user}: added" + ("" if password else f", first password {first}"))
        elif password and await self._accounts.set_password(found, password):
            self._say(f"{found.user}: password set")

    async def _known(self, user: str) -> Account:
        account = await self._repository.account_of(folded_user(user))
        if account is None:
            raise BadAccount("user", "Böyle bir kullanıcı yok.", f"there is no user {user!r}; `users list` shows all")
        return account

    def _say(self, line: str) -> None:
        print(line, file=self._out)


def parser() -> argparse.ArgumentParser:
    """
    The command line.
    """
    top = argparse.ArgumentParser(prog="python -m services.reporting users", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("list", "import"):
        commands.add_parser(name)
    for name in ("add", "roles", "reset", "disable", "enable"):
        command = commands.add_parser(name)
        command.add_argument("user")
        if name in ("add", "roles"):
            command.add_argument("--role", action="append", type=Role, choices=list(Role), required=True)
            command.add_argument("--department", action="append", default=[], metavar="SLUG")
        if name == "add":
            command.add_argument("--name", required=True)
    return top


async def _run(arguments: argparse.Namespace, given: str) -> None:
    settings = UsersSettings.read()
    client = connect(settings.mongo)
    try:
        repository = PeopleRepository(client, settings.database)
        await repository.prepare()
        accounts = Accounts(repository, system_clock, settings.token_secret.get_secret_value().encode())
        await UsersCli(accounts, repository, sys.stdout).run(arguments, given)
    finally:
        client.close()


def main(words: Sequence[str]) -> int:
    """
    Run one command; 1 if it could not be done, with the reason on standard error.
    """
    arguments = parser().parse_args(words)
    given = sys.stdin.read() if arguments.command == "import" else ""
    try:
        asyncio.run(_run(arguments, given))
    except BadAccount as bad:
        print(f"error: {bad}", file=sys.stderr)
        return 1
    return 0


def _rows(given: str) -> list[dict[str, Any]]:
    try:
        rows = json.loads(given)
    except ValueError:
        rows = None
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and {"user", "name", "roles"} <= row.keys() for row in rows
    ):
        raise BadAccount(
            "import", "JSON listesi bekleniyor.", "a JSON list of {user, name, roles, departments, password?}"
        )
    return rows


def _line(account: Account) -> str:
    state = "disabled" if account.disabled else "first password" if account.must_change else "active"
    held = " ".join([*sorted(account.roles), *sorted(account.departments)])
    return f"{account.user:<24} {account.id} {state:<14} {held}  {account.name}"
