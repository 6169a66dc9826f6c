"""
Accounts at work: proving who one is with a password, and what an administrator does with accounts. Everything is put
down in the audit, and nothing there or anywhere else holds a password.
"""

import asyncio
import secrets
import unicodedata
from dataclasses import replace
from datetime import timedelta
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.common.contracts.ids import keyed_hash
from services.common.contracts.roles import Role
from services.common.kit.clock import Clock
from services.reporting.people import (
    Account,
    AddressLimit,
    BadAccount,
    check_password,
    folded_user,
    locks_everybody_out,
    manages,
)
from services.reporting.people_repository import Entry, PeopleRepository, UserTaken

# argon2id above OWASP's least (19 MiB, 2 passes), with RFC 9106's lengths: 50 to 100 ms of one core here.
HASHER: Final = PasswordHasher(time_cost=2, memory_cost=32_768, parallelism=1, hash_len=32, salt_len=16)
AT_ONCE: Final = 2  # checks at the same time: 64 MiB, and the other cores stay free
_WORDS: Final = 20


class SignInRefused(Exception):
    """
    No. Which of user name and password was wrong, or whether there is such a user, is not said. ``wait``: how long no
    password is looked at.
    """

    def __init__(self, wait: timedelta = timedelta()) -> None:
        super().__init__("refused")
        self.wait = wait


class NotThere(LookupError):
    """
    There is no such account.
    """


class Passwords:
    """
    Make and check hashes in threads, few at once.
    """

    def __init__(self, hasher: PasswordHasher = HASHER) -> None:
        self._hasher = hasher
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._nobody: str | None = None

    async def hashed(self, password: str) -> str:
        """
        The argon2id hash to keep.
        """
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _plain(password))

    async def fits(self, password: str, kept: str | None) -> bool:
        """
        Whether the password is the one kept. Without one it takes the same time and is False.
        """
        if self._nobody is None:
            self._nobody = await self.hashed(secrets.token_urlsafe(16))
        async with self._turns:
            return await asyncio.to_thread(self._check, _plain(password), kept)

    def _check(self, password: bytes, kept: str | None) -> bool:
        try:
            self._hasher.verify(kept or str(self._nobody), password)
        except (VerificationError, InvalidHashError):
            return False
        return kept is not None

    def weak(self, kept: str) -> bool:
        """
        Whether the hash was made with other parameters than today's.
        """
        return self._hasher.check_needs_rehash(kept)


class Accounts:
    """
    What can be done with accounts. ``by`` is the id of the administrator, None on the command line.
    """

    def __init__(
        self, repository: PeopleRepository, clock: Clock, secret: bytes, passwords: Passwords | None = None
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._secret = secret
        self._passwords = passwords or Passwords()
        self._addresses = AddressLimit()

    async def sign_in(self, user: str, password: str, address: str) -> Account:
        """
        The account, if the password is right and it is not disabled. Raises ``SignInRefused``.

        Of attempts at the same moment under one name only one goes on, so that many at once buy nothing.
        """
        account = await self._proved(user, password, address)
        await self.put_down("sign_in", who=account.id, address=address, purpose="password")
        return account

    async def _proved(self, user: str, password: str, address: str) -> Account:
        now = self._clock()
        wait = self._addresses.wait(address, now)
        if wait:
            raise SignInRefused(wait)
        folded = folded_user(user)[:200]
        name = keyed_hash(self._secret, "sign-in", folded)
        attempts = await self._repository.attempts(name)
        if wait := attempts.wait(now):
            raise SignInRefused(wait)
        after = attempts.failed(now)
        if not await self._repository.count_attempt(name, attempts, after):
            raise SignInRefused(timedelta(seconds=1))
        account = await self._repository.account_of(folded)
        right = await self._passwords.fits(password, account.password if account else None)
        if account is None or account.disabled or not right:
            self._addresses.failed(address, now)
            await self.put_down("sign_in_failed", about=account.id if account else None, address=address)
            raise SignInRefused(after.wait(now))
        await self._repository.forget_attempts(name)
        if account.password and self._passwords.weak(account.password):
            await self._repository.set_password(
                account.id, await self._passwords.hashed(password), must_change=account.must_change
            )
        return account

    async def change_password(self, account: Account, old: str, new: str, address: str) -> None:
        """
        Give the account the new password, and end all its sessions. Raises ``BadAccount``; ``SignInRefused`` if the old
        one is wrong.
        """
        check_password(new, account)
        if _plain(old) == _plain(new):
            raise BadAccount("password", "Yeni parola eskisinden başka olmalı.", "must differ from the old one")
        await self._proved(account.user, old, address)
        await self._repository.set_password(account.id, await self._passwords.hashed(new), must_change=False)
        await self._repository.close_all(account.id)
        await self.put_down("password_changed", who=account.id, address=address)

    async def add(
        self,
        *,
        user: str,
        name: str,
        roles: frozenset[Role],
        departments: frozenset[str],
        by: str | None = None,
        password: str | None = None,
        must_change: bool = True,
    ) -> tuple[Account, str]:
        """
        A new account and its first password, which is made here if none is given. Raises ``BadAccount``.
        """
        account = Account(new_id(), folded_user(user), name.strip(), roles, departments, must_change=must_change)
        account = account.checked()
        if password is not None:
            check_password(password, account)
        first = password or first_password()
        account = replace(account, password=await self._passwords.hashed(first))
        if await self._repository.account_of(account.user):
            raise _taken()
        await self._keep(account)
        await self.put_down("user_added", who=by, about=account.id, purpose=_held(account))
        return account, first

    async def grant(
        self, person_id: str, name: str, roles: frozenset[Role], departments: frozenset[str], by: str | None = None
    ) -> Account:
        """
        Give the person other roles and departments, or another name. Their sessions end: the next one has the new ones.

        Raises ``NotThere`` and ``BadAccount``.
        """
        account = await self._known(person_id)
        changed = replace(account, name=name.strip(), roles=roles, departments=departments).checked()
        await self._somebody_is_left(account, changed)
        if changed == account:
            return account
        await self._keep(changed)
        await self._repository.close_all(person_id)
        await self.put_down("roles_changed", who=by, about=person_id, purpose=f"{_held(account)} → {_held(changed)}")
        return changed

    async def disable(self, person_id: str, by: str | None = None, *, disabled: bool = True) -> Account:
        """
        Shut the person out (or let them in again). Their sessions end at once; a token that is about lives on for 15
        minutes at most. Raises ``NotThere`` and ``BadAccount``.
        """
        account = await self._known(person_id)
        changed = replace(account, disabled=disabled)
        await self._somebody_is_left(account, changed)
        await self._keep(changed)
        await self._repository.close_all(person_id)
        await self.put_down("user_disabled" if disabled else "user_enabled", who=by, about=person_id)
        return changed

    async def reset_password(self, person_id: str, by: str | None = None, password: str | None = None) -> str:
        """
        A first password again, to be changed at the next sign-in; the sessions end, and so does a lock-out. Raises
        ``NotThere``.
        """
        account = await self._known(person_id)
        if password is not None:
            check_password(password, account)
        first = password or first_password()
        await self._repository.set_password(person_id, await self._passwords.hashed(first), must_change=True)
        await self._repository.close_all(person_id)
        await self._repository.forget_attempts(keyed_hash(self._secret, "sign-in", account.user))
        await self.put_down("password_reset", who=by, about=person_id)
        return first

    async def set_password(self, account: Account, password: str) -> bool:
        """
        Give the account this password, unless it has it; whether something was changed. Raises ``BadAccount``.
        """
        check_password(password, account)
        if await self._passwords.fits(password, account.password):
            return False
        await self._repository.set_password(account.id, await self._passwords.hashed(password), must_change=False)
        await self._repository.close_all(account.id)
        await self.put_down("password_reset", about=account.id)
        return True

    async def end_sessions(self, person_id: str, by: str | None = None) -> int:
        """
        End all sessions of the person; how many there were. Raises ``NotThere``.
        """
        await self._known(person_id)
        ended = await self._repository.close_all(person_id)
        await self.put_down("sessions_ended", who=by, about=person_id)
        return ended

    async def known_by_provider(
        self, subject: str, user: str, name: str, roles: frozenset[Role], departments: frozenset[str], address: str
    ) -> Account:
        """
        The account of somebody whom the provider let in, with what it gives them today; made at their first sign-in.

        Raises ``SignInRefused`` if they are disabled here, ``BadAccount`` if what the provider says cannot be.
        """
        found = await self._repository.account_by_subject(subject)
        if found is not None and found.disabled:
            await self.put_down("sign_in_failed", about=found.id, address=address)
            raise SignInRefused
        if found is None:
            new = new_id()
            wanted = folded_user(user)
            if await self._repository.account_of(wanted):
                wanted = new.replace(
                    "u_", "oidc-"
                )  # a local account of that name is somebody else until an admin says so
            account = Account(new, wanted, name, roles, departments, subject=subject)
        else:
            account = replace(found, name=name, roles=roles, departments=departments)
        await self._keep(account.checked())
        if found is None or (found.roles, found.departments) != (roles, departments):
            if found is not None:
                await self._repository.close_all(account.id)
            await self.put_down("roles_changed" if found else "user_added", about=account.id, purpose=_held(account))
        await self.put_down("sign_in", who=account.id, address=address, purpose="oidc")
        return account

    async def put_down(
        self,
        what: str,
        *,
        who: str | None = None,
        about: str | None = None,
        purpose: str | None = None,
        address: str | None = None,
    ) -> None:
        """
        Add a line to the audit.
        """
        await self._repository.put_down(Entry(self._clock(), what, who, about, purpose, address))

    async def _known(self, person_id: str) -> Account:
        account = await self._repository.account(person_id)
        if account is None:
            raise NotThere(person_id)
        return account

    async def _keep(self, account: Account) -> None:
        try:
            await self._repository.keep(account)
        except UserTaken:
            raise _taken() from None

    async def _somebody_is_left(self, account: Account, changed: Account) -> None:
        if manages(account) and locks_everybody_out(await self._repository.accounts(), changed):
            raise BadAccount(
                "roles",
                "Son sistem yöneticisi: önce bir başkasını yönetici yapın.",
                "the last administrator: make somebody else one first",
            )


def new_id() -> str:
    """
    A person's id: opaque, and the same for ever.
    """
    return "u_" + secrets.token_hex(8)


def first_password() -> str:
    """
    A password that an administrator reads out once: 20 letters and digits that look like no others (about 98 bits).
    """
    letters = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(_WORDS))
    return "-".join(letters[at : at + 5] for at in range(0, _WORDS, 5))


def _plain(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace")


def _held(account: Account) -> str:
    return " ".join([*sorted(account.roles), *sorted(account.departments)])


def _taken() -> BadAccount:
    return BadAccount("user", "Bu kullanıcı adı alınmış.", "this user name is taken")
