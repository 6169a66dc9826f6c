"""
The administrator's pages: who works here, and who looked at what.
"""

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final

import httpx
from fastapi import APIRouter, Depends, Form, Query, Request, Response

from services.common.contracts.catalogue import catalogue
from services.common.contracts.roles import Role
from services.common.kit.guard import page_person
from services.common.kit.http import Problem
from services.common.kit.logs import logger
from services.common.kit.people import Person
from services.common.ui.pages import PagesOf
from services.common.ui.words import ROLES, Words
from services.reporting.accounts import NotThere
from services.reporting.people import Account, BadAccount
from services.reporting.people_repository import Entry
from services.reporting.projections import ISTANBUL
from services.reporting.staff import Staff, StaffOf

log = logger(__name__)
Admin = Annotated[Person, Depends(page_person(Role.ADMIN))]
Typed = Annotated[str, Form(max_length=200)]
Ticked = Annotated[list[str], Form(max_length=50)]
PersonId = Annotated[str, Query(pattern=r"^(u_[0-9a-f]{16})?$")]

SHOWN: Final = 200
WHAT: Final[dict[str, Words]] = {
    "sign_in": Words("Giriş", "Sign-in"),
    "sign_in_failed": Words("Başarısız giriş", "Failed sign-in"),
    "sign_out": Words("Çıkış", "Sign-out"),
    "password_changed": Words("Parola değişti", "Password changed"),
    "password_reset": Words("Parola sıfırlandı", "Password reset"),
    "user_added": Words("Kullanıcı eklendi", "User added"),
    "user_disabled": Words("Kullanıcı kapatıldı", "User disabled"),
    "user_enabled": Words("Kullanıcı açıldı", "User enabled"),
    "roles_changed": Words("Yetki değişti", "Roles changed"),
    "sessions_ended": Words("Oturumlar kapatıldı", "Sessions ended"),
    "letters_sent_back": Words("İşlenemeyen kayıtlar geri gönderildi", "Dead letters sent back"),
    "contact_view": Words("İletişim bilgisi görüldü", "Contact viewed"),
}
_PURPOSES: Final[dict[str, Words]] = {
    "password": Words("parola ile", "by password"),
    "oidc": Words("kurum hesabıyla", "by the house's account"),
    **{role.value: words for role, words in ROLES.items()},
    **{slug: Words(department.tr, department.en) for slug, department in catalogue().departments.items()},
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Line:
    """
    One line of the audit as it is shown.
    """

    at: datetime
    what: Words
    who: str
    about: str
    purpose: Words
    address: str
    tone: str


@router.get("/users")
async def users(request: Request, person: Admin, staff: StaffOf, pages: PagesOf) -> Response:
    """
    Everybody who works here.
    """
    accounts, sessions = await staff.repository.accounts(), await staff.repository.open_sessions()
    return pages.render(
        request, "users.html", person, accounts=accounts, sessions=sessions, departments=catalogue().departments
    )


@router.get("/users/new")
async def new_user(request: Request, person: Admin, pages: PagesOf) -> Response:
    """
    The form for somebody new.
    """
    return _form(request, pages, person, None)


@router.post("/users")
async def add_user(
    request: Request,
    person: Admin,
    staff: StaffOf,
    pages: PagesOf,
    user: Typed = "",
    name: Typed = "",
    roles: Ticked = [],  # noqa: B006 - FastAPI copies it
    departments: Ticked = [],  # noqa: B006
) -> Response:
    """
    Add somebody; their first password is shown once.
    """
    given = {"user": user, "name": name, "roles": roles, "departments": departments}
    try:
        account, first = await staff.accounts.add(
            user=user, name=name, roles=_roles(roles), departments=frozenset(departments), by=person.id
        )
    except BadAccount as bad:
        return _form(request, pages, person, None, given=given, bad=bad)
    return _form(request, pages, person, account, first=first)


@router.get("/users/{person_id}")
async def user(request: Request, person: Admin, staff: StaffOf, pages: PagesOf, person_id: str) -> Response:
    """
    One account, and what can be done with it.
    """
    account = await staff.repository.account(person_id)
    if account is None:
        raise Problem(404, "There is no such user.")
    return _form(request, pages, person, account)


@router.post("/users/{person_id}")
async def change_user(
    request: Request,
    person: Admin,
    staff: StaffOf,
    pages: PagesOf,
    person_id: str,
    name: Typed = "",
    roles: Ticked = [],  # noqa: B006 - FastAPI copies it
    departments: Ticked = [],  # noqa: B006
) -> Response:
    """
    Other roles, departments or another name; the person's sessions end.
    """
    try:
        await _of(staff.accounts.grant(person_id, name, _roles(roles), frozenset(departments), by=person.id))
    except BadAccount as bad:
        account = await staff.repository.account(person_id)
        given = {"name": name, "roles": roles, "departments": departments}
        return _form(request, pages, person, account, given=given, bad=bad)
    return pages.redirect("/users", flash=pages.say(request, "Kaydedildi", "Saved"))


@router.post("/users/{person_id}/password")
async def reset_password(request: Request, person: Admin, staff: StaffOf, pages: PagesOf, person_id: str) -> Response:
    """
    A new first password, shown once.
    """
    first = await _of(staff.accounts.reset_password(person_id, by=person.id))
    return _form(request, pages, person, await staff.repository.account(person_id), first=first)


@router.post("/users/{person_id}/disable")
async def disable_user(request: Request, person: Admin, staff: StaffOf, pages: PagesOf, person_id: str) -> Response:
    """
    Shut somebody out.
    """
    return await _switch(request, person, staff, pages, person_id, disabled=True)


@router.post("/users/{person_id}/enable")
async def enable_user(request: Request, person: Admin, staff: StaffOf, pages: PagesOf, person_id: str) -> Response:
    """
    Let somebody in again.
    """
    return await _switch(request, person, staff, pages, person_id, disabled=False)


@router.post("/users/{person_id}/sessions/end")
async def end_sessions(request: Request, person: Admin, staff: StaffOf, pages: PagesOf, person_id: str) -> Response:
    """
    Sign somebody out everywhere.
    """
    await _of(staff.accounts.end_sessions(person_id, by=person.id))
    return pages.redirect(f"/users/{person_id}", flash=pages.say(request, "Oturumlar kapatıldı", "Sessions ended"))


@router.get("/audit")
async def audit(
    request: Request,
    person: Admin,
    staff: StaffOf,
    pages: PagesOf,
    who: PersonId = "",
    what: Annotated[str, Query(max_length=40)] = "",
    first: Annotated[str, Query(alias="from", max_length=10)] = "",
    last: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Response:
    """
    Who did what, and who looked at whose contact and why: ours and notify's lines together, newest first.
    """
    since, before = _midnight(first), _midnight(last)
    if before is not None:
        before += timedelta(days=1)
    entries: list[Entry] = []
    if what != "contact_view":
        kind = what if what in WHAT else None
        entries = await staff.repository.entries(person=who or None, what=kind, since=since, before=before, limit=SHOWN)
    views: list[Entry] | None = []
    if what in ("", "contact_view"):
        views = await _contact_views(staff, person, who, since, before)
    rows = sorted([*entries, *(views or [])], key=lambda row: row.at, reverse=True)[:SHOWN]
    accounts = await staff.repository.accounts()
    return pages.render(
        request,
        "audit.html",
        person,
        lines=_lines(rows, {account.id: account.name for account in accounts}),
        accounts=accounts,
        kinds=WHAT,
        chosen={"who": who, "what": what, "from": first, "to": last},
        notify_away=views is None,
        most=SHOWN,
    )


async def _contact_views(
    staff: Staff, person: Person, who: str, since: datetime | None, before: datetime | None
) -> list[Entry] | None:
    """
    Notify's lines; None if it does not answer.
    """
    query: dict[str, str | int] = {"limit": SHOWN}
    query |= {"who": f"person:{who}"} if who else {}
    query |= {name: at.isoformat() for name, at in (("from", since), ("to", before)) if at is not None}
    try:
        answer = await staff.http.get(
            f"{staff.settings.notify_url}/v1/audit",
            params=query,
            headers={"Authorization": f"Bearer {person.token}"},
            timeout=3.0,
        )
        answer.raise_for_status()
        rows = answer.json()["items"]
        return [
            Entry(
                at=datetime.fromisoformat(row["at"]),
                what="contact_view",
                who=row["who"].removeprefix("person:"),
                about=row["contact_id"],
                purpose=row["purpose"],
            )
            for row in rows
        ]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        log.warning("the audit of notify cannot be read", error=type(error).__name__)
        return None


def _lines(rows: list[Entry], names: dict[str, str]) -> list[Line]:
    return [
        Line(
            at=row.at,
            what=WHAT.get(row.what, Words(row.what, row.what)),
            who=names.get(row.who or "", row.who or ""),
            about=names.get(row.about or "", row.about or ""),
            purpose=purpose_in_words(row),
            address=row.address or "",
            tone={"sign_in_failed": "warn", "contact_view": "info"}.get(row.what, "neutral"),
        )
        for row in rows
    ]


def purpose_in_words(row: Entry) -> Words:
    """
    Why something was done: a reader's own words as they are, ours (``password``, roles and departments) as people say.
    """
    purpose = row.purpose or ""
    if row.what == "contact_view":
        return Words(purpose, purpose)
    sides = [[_PURPOSES.get(word, Words(word, word)) for word in side.split()] for side in purpose.split(" → ")]
    return Words(
        " → ".join(", ".join(word.tr for word in side) for side in sides),
        " → ".join(", ".join(word.en for word in side) for side in sides),
    )


def _midnight(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), time(), ISTANBUL).astimezone(UTC)
    except ValueError:
        raise Problem(422, "A day is written like 2026-11-28.") from None


def _roles(texts: list[str]) -> frozenset[Role]:
    try:
        return frozenset(map(Role, texts))
    except ValueError:
        raise BadAccount("roles", "Bilinmeyen rol.", "unknown role") from None


async def _of(work: Awaitable[Any]) -> Any:
    try:
        return await work
    except NotThere:
        raise Problem(404, "There is no such user.") from None


async def _switch(
    request: Request, person: Person, staff: Staff, pages: PagesOf, person_id: str, *, disabled: bool
) -> Response:
    try:
        await _of(staff.accounts.disable(person_id, by=person.id, disabled=disabled))
    except BadAccount as bad:
        return _form(request, pages, person, await staff.repository.account(person_id), bad=bad)
    said = ("Kullanıcı kapatıldı", "User disabled") if disabled else ("Kullanıcı açıldı", "User enabled")
    return pages.redirect("/users", flash=pages.say(request, *said))


def _form(
    request: Request,
    pages: PagesOf,
    person: Person,
    account: Account | None,
    *,
    given: dict[str, Any] | None = None,
    bad: BadAccount | None = None,
    first: str = "",
) -> Response:
    known: dict[str, Any] = {"user": "", "name": "", "roles": [], "departments": []}
    if account is not None:
        known = {
            "user": account.user,
            "name": account.name,
            "roles": sorted(account.roles),
            "departments": sorted(account.departments),
        }
    return pages.render(
        request,
        "user.html",
        person,
        status=422 if bad else 200,
        account=account,
        given=known | (given or {}),
        errors={bad.field: pages.say(request, bad.tr, bad.en)} if bad else {},
        first_password=first,
        roles=list(Role),
        departments=catalogue().departments,
    )
