"""
What is decided about those who work here: passwords, lock-out, sessions, where a sign-in may lead, and what the claims
of a provider make of somebody. Pure: times and texts in, decisions out.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role
from services.common.contracts.text import fold
from services.common.kit.origin import origin_of

USER_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9._@-]{0,62}[a-z0-9])?")
LONGEST_NAME: Final = 80
SHORTEST_PASSWORD: Final = 12  # NIST SP 800-63B-4: length counts, composition rules do not
LONGEST_PASSWORD: Final = 200
FREE_FAILURES: Final = 5
LONGEST_WAIT: Final = timedelta(minutes=15)
SESSION_LIFETIME: Final = timedelta(hours=12)
SESSION_IDLE: Final = timedelta(minutes=60)
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
# What is tried first, of at least 8 characters; a password made of one of these and little else is refused.
_COMMON: Final = (
    "password", "passw0rd", "parola123", "sifre123", "sifreler", "12345678", "123456789", "1234567890",
    "123456789012", "qwertyuiop", "qwerty123", "asdfghjkl", "1q2w3e4r", "1qaz2wsx", "iloveyou", "letmein1",
    "welcome1", "administrator", "yonetici", "galatasaray", "fenerbahce", "besiktas", "trabzonspor", "samsunspor",
    "istanbul", "ilkadim", "ilkadimbelediyesi", "belediye", "samsun5555", "turkiye1923", "ataturk1881", "abcdefgh",
    "abcdefghij", "abcdef123456", "11111111", "00000000", "55555555", "changeme", "degistir", "superman", "football",
)  # fmt: skip


class BadAccount(ValueError):
    """
    What was given for an account cannot be; ``field`` names it, ``tr`` and ``en`` say what would be right.
    """

    def __init__(self, name: str, tr: str, en: str) -> None:
        super().__init__(f"{name}: {en}")
        self.field, self.tr, self.en = name, tr, en


@dataclass(frozen=True, slots=True)
class Account:
    """
    One member of staff. ``password`` is an argon2id hash; ``subject`` is who a provider says it is (``issuer sub``).
    """

    id: str
    user: str
    name: str
    roles: frozenset[Role]
    departments: frozenset[str]
    password: str | None = field(default=None, repr=False)
    must_change: bool = False
    disabled: bool = False
    subject: str | None = None

    def checked(self) -> "Account":
        """
        The account, if it can be as it is. Raises ``BadAccount``.
        """
        if not USER_NAME.fullmatch(self.user):
            raise BadAccount(
                "user",
                "Küçük harf, rakam, nokta, tire, alt çizgi ve @; en çok 64 karakter.",
                "lower-case letters, digits, dot, hyphen, underscore and @; at most 64 characters",
            )
        if not self.name.strip() or len(self.name) > LONGEST_NAME or not self.name.isprintable():
            raise BadAccount("name", "Adı ve soyadı, en çok 80 karakter.", "first and last name, at most 80 characters")
        if not self.roles:
            raise BadAccount("roles", "En az bir rol seçin.", "choose at least one role")
        unknown = sorted(self.departments - catalogue().departments.keys())
        if unknown:
            raise BadAccount(
                "departments",
                f"Bilinmeyen birim: {unknown[0]}.",
                f"unknown department {unknown[0]!r}; see catalogue.yaml",
            )
        if (Role.DEPARTMENT in self.roles) != bool(self.departments):
            raise BadAccount(
                "departments",
                "Birim rolü ile birim birlikte verilir.",
                "the role department and at least one department go together",
            )
        return self


def folded_user(text: str) -> str:
    """
    A user name as it is kept and looked for: Turkish letters and case do not matter.
    """
    return fold(text.encode("utf-8", "replace").decode()).strip()


def check_password(password: str, account: Account) -> None:
    """
    Raise ``BadAccount`` unless it may be the account's password: 12 to 200 characters, not one that is tried first, not
    made of the person's own name. Nothing else is asked of it, and it never has to be changed because time went by.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise BadAccount(
            "password",
            f"En az {SHORTEST_PASSWORD} karakter olmalı; birkaç kelimelik bir cümle iyidir.",
            f"at least {SHORTEST_PASSWORD} characters; a sentence of some words is good",
        )
    if len(password) > LONGEST_PASSWORD:
        raise BadAccount("password", f"En çok {LONGEST_PASSWORD} karakter.", f"at most {LONGEST_PASSWORD} characters")
    plain = fold(password)
    own = [part for part in re.split(r"[^a-z0-9]+", fold(f"{account.user} {account.name}")) if len(part) > 3]
    if len(set(plain)) < 5 or len(_without(plain, (*_COMMON, *own))) < 6:
        raise BadAccount(
            "password",
            "Kolay tahmin edilir: adınızdan, sık kullanılan bir paroladan ya da tekrarlardan başka bir şey seçin.",
            "easy to guess: choose something else than your name, a common password or repetitions",
        )


def _without(text: str, words: Iterable[str]) -> str:
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "")
    return text


@dataclass(frozen=True, slots=True)
class Attempts:
    """
    Failed sign-ins in a row under one user name, whether there is such a user or not.
    """

    failures: int = 0
    until: datetime = _LONG_AGO

    def wait(self, now: datetime) -> timedelta:
        """
        How long no password is looked at; zero if one may be tried.
        """
        return max(self.until - now, timedelta())

    def failed(self, now: datetime) -> "Attempts":
        """
        After one more failure: 5 are free, then it is 1, 2, 4, 8 and from then on 15 minutes for each.
        """
        failures = self.failures + 1
        return replace(self, failures=failures, until=now + wait_after(failures))


def wait_after(failures: int) -> timedelta:
    """
    How long the next attempt has to wait after so many failures in a row.
    """
    if failures < FREE_FAILURES:
        return timedelta()
    return min(timedelta(minutes=2 ** min(failures - FREE_FAILURES, 10)), LONGEST_WAIT)


class AddressLimit:
    """
    At most ``most`` failed sign-ins from one address in ``window``: a guesser cannot go through all user names. A whole
    town hall may stand behind one address, so it is wide. In memory, of this process alone.
    """

    def __init__(self, most: int = 50, window: timedelta = timedelta(minutes=15)) -> None:
        self._most = most
        self._window = window
        self._failures: dict[str, list[datetime]] = {}

    def wait(self, address: str, now: datetime) -> timedelta:
        """
        How long nothing is taken from the address; zero if it may try.
        """
        recent = [at for at in self._failures.get(address, ()) if now - at < self._window]
        return recent[-self._most] + self._window - now if len(recent) >= self._most else timedelta()

    def failed(self, address: str, now: datetime) -> None:
        """
        Count a failure.
        """
        if len(self._failures) > 10_000:
            self._failures = {key: rows for key, rows in self._failures.items() if now - rows[-1] < self._window}
        self._failures[address] = [*self._failures.get(address, ())[-self._most + 1 :], now]


@dataclass(frozen=True, slots=True)
class Session:
    """
    One signed-in browser. ``id`` is the hash of what its cookie holds. With ``must_change`` it opens nothing but the
    page where the password is changed.
    """

    id: str
    person_id: str
    csrf: str = field(repr=False)
    created_at: datetime
    seen_at: datetime
    must_change: bool = False

    def alive(self, now: datetime) -> bool:
        """
        Whether it still counts: 12 hours at most, and 60 minutes after it was last seen.
        """
        return now - self.created_at < SESSION_LIFETIME and now - self.seen_at < SESSION_IDLE


def manages(account: Account) -> bool:
    """
    Whether this account can manage the others.
    """
    return Role.ADMIN in account.roles and not account.disabled


def locks_everybody_out(accounts: Collection[Account], changed: Account) -> bool:
    """
    Whether nobody who may manage users would be left after the change.
    """
    after = {account.id: account for account in accounts} | {changed.id: changed}
    return not any(map(manages, after.values()))


def safe_next(wanted: str | None, origins: Collection[str], otherwise: str) -> str:
    """
    Where to go after signing in: a path of ours or an absolute URL of one of our origins; anything else is
    ``otherwise``.
    """
    if not wanted or len(wanted) > 2_000 or not wanted.isprintable() or "\\" in wanted or " " in wanted:
        return otherwise
    try:
        parts = urlsplit(wanted)
        if parts.scheme or parts.netloc:
            ours = parts.scheme in ("http", "https") and "@" not in parts.netloc and origin_of(wanted) in origins
            return wanted if ours else otherwise
    except ValueError:
        return otherwise
    return wanted if wanted.startswith("/") and not wanted.startswith("//") else otherwise


class NoRole(ValueError):
    """
    The provider knows them, but nothing that it says gives them anything to do here.
    """


@dataclass(frozen=True, slots=True)
class Grant:
    """
    What one value of the provider's claim gives: a role, and with ``department:<slug>`` a department too.
    """

    role: Role
    department: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Grant":
        """
        Read ``operator``, ``manager``, ``admin`` or ``department:<slug>``. Raises ``ValueError``.
        """
        name, _, department = text.partition(":")
        role = Role(name)
        known = catalogue().departments
        if (role is Role.DEPARTMENT) != (department in known):
            raise ValueError(f"{text!r} is none of operator, manager, admin, department:<slug of a department>")
        return cls(role, department or None)


def granted(
    claims: Mapping[str, Any], claim: str, mapping: Mapping[str, Collection[Grant]]
) -> tuple[frozenset[Role], frozenset[str]]:
    """
    Roles and departments that the values of a claim give (a text, or a list of texts; ``a.b`` is ``b`` inside ``a``).

    Raises ``NoRole`` if they give none.
    """
    value: Any = claims
    for step in claim.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    grants = [grant for item in values if isinstance(item, str) for grant in mapping.get(item, ())]
    if not grants:
        raise NoRole("no value of the claim is mapped to a role")
    departments = frozenset(grant.department for grant in grants if grant.department)
    return frozenset(grant.role for grant in grants), departments


def provider_name(claims: Mapping[str, Any]) -> str:
    """
    The person's name as the provider has it, cut to what fits; the subject if it has none.
    """
    given = " ".join(str(claims[key]) for key in ("given_name", "family_name") if claims.get(key))
    text = str(claims.get("name") or given or claims.get("preferred_username") or claims["sub"])
    return "".join(sign for sign in text if sign.isprintable()).strip()[:LONGEST_NAME] or "?"
