"""
Those who work here, in MongoDB: ``users``, ``sessions``, ``sign_ins`` (failures in a row), ``oidc_flows``, ``audit``.

Sessions, user names that failed and flows stand under their hashes: whoever reads the database cannot use them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from services.common.contracts.roles import Role
from services.common.kit.mongo import Client, ensure_indexes
from services.reporting.people import SESSION_LIFETIME, Account, Attempts, Session

AUDIT_KEPT: Final = timedelta(days=730)
FLOW_LIFETIME: Final = timedelta(minutes=10)
_FAILURES_KEPT: Final = timedelta(days=1)


class UserTaken(ValueError):
    """
    Another account has this user name.
    """


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One line of the audit: who did what to whom, when, from where, and why. ``who`` and ``about`` are ids of persons.
    """

    at: datetime
    what: str
    who: str | None = None
    about: str | None = None
    purpose: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """
    A sign-in that is under way at a provider; ``browser`` is the hash of the cookie of the browser that began it.
    """

    state: str
    browser: str
    nonce: str
    verifier: str
    next: str


class PeopleRepository:
    """
    All reads and writes about people.
    """

    def __init__(self, client: Client, database: str) -> None:
        db = client[database]
        self._users, self._sessions = db["users"], db["sessions"]
        self._sign_ins, self._flows, self._audit = db["sign_ins"], db["oidc_flows"], db["audit"]

    async def prepare(self) -> None:
        """
        Create the indexes that are missing.
        """

        def runs_out(name: str, after: timedelta) -> IndexModel:
            return IndexModel([(name, ASCENDING)], expireAfterSeconds=int(after.total_seconds()))

        subjects = {"subject": {"$type": "string"}}
        await ensure_indexes(
            self._users,
            [
                IndexModel([("user", ASCENDING)], unique=True),
                IndexModel([("subject", ASCENDING)], unique=True, partialFilterExpression=subjects),
            ],
        )
        await ensure_indexes(
            self._sessions, [IndexModel([("person_id", ASCENDING)]), runs_out("created_at", SESSION_LIFETIME)]
        )
        await ensure_indexes(self._sign_ins, [runs_out("until", _FAILURES_KEPT)])
        await ensure_indexes(self._flows, [runs_out("at", FLOW_LIFETIME)])
        await ensure_indexes(self._audit, [runs_out("at", AUDIT_KEPT), IndexModel([("about", ASCENDING)])])

    # --- accounts ---

    async def account(self, person_id: str) -> Account | None:
        """
        The account with this id.
        """
        return _account(await self._users.find_one({"_id": person_id}))

    async def account_of(self, user: str) -> Account | None:
        """
        The account with this (folded) user name.
        """
        return _account(await self._users.find_one({"user": user}))

    async def account_by_subject(self, subject: str) -> Account | None:
        """
        The account of whom a provider knows by this ``issuer sub``.
        """
        return _account(await self._users.find_one({"subject": subject}))

    async def accounts(self) -> list[Account]:
        """
        All accounts, by user name.
        """
        rows = [_account(row) async for row in self._users.find().sort("user", ASCENDING)]
        return [row for row in rows if row is not None]

    async def names(self, person_ids: Collection[str]) -> dict[str, str]:
        """
        The names of those of these persons who are known.
        """
        found = self._users.find({"_id": {"$in": sorted(person_ids)}}, {"name": 1})
        return {row["_id"]: row["name"] async for row in found}

    async def keep(self, account: Account) -> None:
        """
        Write an account, new or changed. Raises ``UserTaken``.
        """
        try:
            await self._users.replace_one({"_id": account.id}, _document(account), upsert=True)
        except DuplicateKeyError:
            raise UserTaken(account.user) from None

    async def set_password(self, person_id: str, password: str, *, must_change: bool) -> None:
        """
        Write a password's hash and nothing else of the account.
        """
        await self._users.update_one({"_id": person_id}, {"$set": {"password": password, "must_change": must_change}})

    # --- failed sign-ins ---

    async def attempts(self, name: str) -> Attempts:
        """
        The failures in a row under the hash of a user name.
        """
        row = await self._sign_ins.find_one({"_id": name})
        return Attempts(row["failures"], row["until"]) if row else Attempts()

    async def count_attempt(self, name: str, seen: Attempts, after: Attempts) -> bool:
        """
        Write ``after`` if nothing was written since ``seen``: of attempts at the same moment only one goes on.
        """
        change = {"$set": {"failures": after.failures, "until": after.until}}
        try:
            done = await self._sign_ins.update_one(
                {"_id": name, "failures": seen.failures}, change, upsert=seen.failures == 0
            )
        except DuplicateKeyError:
            return False
        return done.modified_count == 1 or bool(done.upserted_id)

    async def forget_attempts(self, name: str) -> None:
        """
        The row of failures has ended.
        """
        await self._sign_ins.delete_one({"_id": name})

    # --- sessions ---

    async def open(self, session: Session) -> None:
        """
        Keep a new session.
        """
        row = {
            "_id": session.id,
            "person_id": session.person_id,
            "csrf": session.csrf,
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "must_change": session.must_change,
        }
        await self._sessions.insert_one(row)

    async def session(self, session_id: str) -> Session | None:
        """
        The session, alive or not.
        """
        row = await self._sessions.find_one({"_id": session_id})
        if row is None:
            return None
        return Session(row["_id"], row["person_id"], row["csrf"], row["created_at"], row["seen_at"], row["must_change"])

    async def seen(self, session_id: str, now: datetime) -> None:
        """
        The session was used.
        """
        await self._sessions.update_one({"_id": session_id}, {"$max": {"seen_at": now}})

    async def close(self, session_id: str) -> None:
        """
        End a session.
        """
        await self._sessions.delete_one({"_id": session_id})

    async def close_all(self, person_id: str) -> int:
        """
        End all sessions of a person; how many there were.
        """
        return (await self._sessions.delete_many({"person_id": person_id})).deleted_count

    async def open_sessions(self) -> dict[str, datetime]:
        """
        Of each person with a session: when they were last seen.
        """
        found: dict[str, datetime] = {}
        async for row in self._sessions.find({}, {"person_id": 1, "seen_at": 1}):
            found[row["person_id"]] = max(row["seen_at"], found.get(row["person_id"], row["seen_at"]))
        return found

    # --- sign-ins at a provider ---

    async def begin(self, flow: Flow, now: datetime) -> None:
        """
        Remember a flow for ten minutes.
        """
        await self._flows.insert_one(
            {
                "_id": flow.state,
                "browser": flow.browser,
                "nonce": flow.nonce,
                "verifier": flow.verifier,
                "next": flow.next,
                "at": now,
            }
        )

    async def finish(self, state: str, browser: str, now: datetime) -> Flow | None:
        """
        Take the flow of this browser out: a state counts once, and for ten minutes.
        """
        row: Mapping[str, Any] | None = await self._flows.find_one_and_delete({"_id": state, "browser": browser})
        if row is None or now - row["at"] >= FLOW_LIFETIME:
            return None
        return Flow(row["_id"], row["browser"], row["nonce"], row["verifier"], row["next"])

    # --- audit ---

    async def put_down(self, entry: Entry) -> None:
        """
        Add a line to the audit.
        """
        row = {
            name: value
            for name in ("at", "what", "who", "about", "purpose", "address")
            if (value := getattr(entry, name)) is not None
        }
        await self._audit.insert_one(row)

    async def entries(
        self,
        *,
        person: str | None = None,
        what: str | None = None,
        since: datetime | None = None,
        before: datetime | None = None,
        limit: int = 100,
    ) -> list[Entry]:
        """
        Lines of the audit, newest first: by or about a person, of a kind, of a time.
        """
        wanted: dict[str, Any] = {}
        if person:
            wanted["$or"] = [{"who": person}, {"about": person}]
        if what:
            wanted["what"] = what
        times = {name: at for name, at in (("$gte", since), ("$lt", before)) if at is not None}
        if times:
            wanted["at"] = times
        found = self._audit.find(wanted).sort("at", DESCENDING).limit(limit)
        return [
            Entry(row["at"], row["what"], row.get("who"), row.get("about"), row.get("purpose"), row.get("address"))
            async for row in found
        ]


def _document(account: Account) -> dict[str, Any]:
    return {
        "_id": account.id,
        "user": account.user,
        "name": account.name,
        "roles": sorted(account.roles),
        "departments": sorted(account.departments),
        "password": account.password,
        "must_change": account.must_change,
        "disabled": account.disabled,
        "subject": account.subject,
    }


def _account(row: Mapping[str, Any] | None) -> Account | None:
    if row is None:
        return None
    return Account(
        id=row["_id"],
        user=row["user"],
        name=row["name"],
        roles=frozenset(map(Role, row["roles"])),
        departments=frozenset(row["departments"]),
        password=row["password"],
        must_change=row["must_change"],
        disabled=row["disabled"],
        subject=row["subject"],
    )
