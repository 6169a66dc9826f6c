"""
Signing in and out: the pages, the session's endpoints for browsers and for our other services, and the public keys.
"""

import secrets
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from services.common.contracts.roles import Role
from services.common.kit.guard import CSRF_FIELD, foreign, people_of, same_secret, signed_in
from services.common.kit.http import Problem, StrictRoute, problems
from services.common.kit.logs import logger
from services.common.kit.people import EXCHANGE_PATH, JWKS_PATH, LIFETIME, SESSION_COOKIE, TOKEN_COOKIE
from services.common.ui.pages import Pages, PagesOf
from services.reporting.accounts import SignInRefused
from services.reporting.dashboard.pages import panel_page
from services.reporting.inbox.room import RoomOf
from services.reporting.oidc import ProviderFailed
from services.reporting.people import Account, BadAccount, NoRole, Session, granted, provider_name
from services.reporting.sessions import hashed
from services.reporting.staff import ACCOUNT_PATH, CALLBACK_PATH, Staff, StaffOf

log = logger(__name__)
FORM_COOKIE: Final = "ilkim_form"
FORM_FIELD: Final = "_form"
FLOW_COOKIE: Final = "ilkim_oidc"
_FORM_LIFETIME: Final = timedelta(hours=12)
_FLOW_LIFETIME: Final = timedelta(minutes=10)
_FAILED: Final = {
    "credentials": ("Kullanıcı adı ya da parola yanlış.", "The user name or the password is wrong."),
    "form": ("Sayfa eskimiş; bir kez daha deneyin.", "The page was old; try once more."),
    "flow": ("Giriş yarıda kaldı; baştan deneyin.", "The sign-in was not completed; begin again."),
    "provider": ("Kurum girişi şu an yanıt vermiyor.", "The provider does not answer now."),
    "no_role": (
        "Kurum hesabınıza burada bir rol verilmemiş; yöneticinize başvurun.",
        "Your account has no role here; ask your administrator.",
    ),
}

Next = Annotated[str | None, Query(max_length=2_000)]
Typed = Annotated[str, Form(max_length=1_000)]

pages_router = APIRouter(include_in_schema=False)
router = APIRouter(route_class=StrictRoute, tags=["sign-in"])


class SessionShown(BaseModel):
    """
    The session of one of our browsers, as another of our services received it.
    """

    session: str = Field(min_length=1, max_length=200)


class TokenGiven(BaseModel):
    """
    The token of whoever holds the session.
    """

    token: str


class TokenRenewed(BaseModel):
    """
    What a script needs to go on: the token itself is in a cookie that it cannot read.
    """

    csrf: str
    expires_at: str


# --- for other services, and for scripts ---


@router.get(JWKS_PATH)
async def jwks(staff: StaffOf) -> JSONResponse:
    """
    The public keys of people's tokens (RFC 7517).
    """
    return JSONResponse(staff.sessions.keys.jwks(), headers={"Cache-Control": "public, max-age=300"})


@router.post(EXCHANGE_PATH, responses=problems(404, 415, 422, 503))
async def exchange(shown: SessionShown, staff: StaffOf) -> TokenGiven:
    """
    For our own services: a token for the holder of a session that they were shown. Tells nothing to anybody else.
    """
    found = await staff.sessions.holder(shown.session)
    person = staff.sessions.person_of(*found) if found else None
    if person is None:
        raise Problem(404, "There is no such session.")
    return TokenGiven(token=person.token)


@router.get("/session/token", responses={200: {"model": TokenRenewed}, **problems(401, 503)})
async def session_token(request: Request, staff: StaffOf) -> Response:
    """
    Renew the token in its cookie.
    """
    cookie = request.cookies.get(SESSION_COOKIE)
    found = await staff.sessions.holder(cookie)
    person = staff.sessions.person_of(*found) if found else None
    if cookie is None or person is None:
        raise Problem(401, "Nobody is signed in.")
    answer = JSONResponse({"csrf": person.csrf, "expires_at": person.expires_at.isoformat()})
    staff.take_in(answer, cookie, person.token)
    return answer


@pages_router.get("/session/renew")
async def renew(request: Request, staff: StaffOf, next: Next = None) -> Response:
    """
    A new token for a session, and back to the page; without a session to the sign-in.
    """
    wanted = staff.next(next)
    return await _go_on(request, staff, wanted) or _to_sign_in(wanted)


@pages_router.get("/")
async def home(request: Request, staff: StaffOf, pages: PagesOf, room: RoomOf) -> Response:
    """
    The dashboard, for those who lead; for others the page where their work begins.
    """
    person = await signed_in(request)
    if person is not None and person.has(Role.MANAGER):
        return await panel_page(request, person, pages, room)
    return await _go_on(request, staff, "/") or _to_sign_in("/")


# --- with a password ---


@pages_router.get("/sign-in")
async def sign_in_page(request: Request, staff: StaffOf, pages: PagesOf, next: Next = None) -> Response:
    """
    The form. Whoever is signed in goes on at once.
    """
    wanted = staff.next(next)
    return await _go_on(request, staff, wanted) or _form(request, staff, pages, wanted)


@pages_router.post("/sign-in")
async def sign_in(
    request: Request,
    staff: StaffOf,
    pages: PagesOf,
    user: Typed = "",
    password: Typed = "",
    form: Annotated[str, Form(alias=FORM_FIELD, max_length=200)] = "",
    next: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """
    Check user name and password and open a new session. What is wrong of the two is not said.
    """
    wanted = staff.next(next)
    if not staff.settings.local_accounts:
        raise Problem(404, "There is no sign-in with a password here.")
    if not _own_form(request, form):
        return _form(request, staff, pages, wanted, user=user, failed="form", status=403)
    try:
        account = await staff.accounts.sign_in(user, password, _address(request))
    except SignInRefused as refusal:
        return _refused(request, staff, pages, wanted, user, refusal)
    return await _welcome(request, staff, account, wanted)


@pages_router.get("/sign-out")
async def sign_out_page(request: Request, staff: StaffOf, pages: PagesOf) -> Response:
    """
    The question, for whoever comes by a link.
    """
    found = await staff.sessions.holder(request.cookies.get(SESSION_COOKIE))
    if found is None:
        return RedirectResponse("/sign-in", 303)
    return pages.render(request, "sign_out.html", csrf=found[0].csrf)


@pages_router.post("/sign-out")
async def sign_out(
    request: Request, staff: StaffOf, csrf: Annotated[str, Form(alias=CSRF_FIELD, max_length=200)] = ""
) -> Response:
    """
    End the session. The form may stand on any of our pages, so its token alone says that it is ours.
    """
    cookie = request.cookies.get(SESSION_COOKIE)
    found = await staff.sessions.holder(cookie)
    if found is not None and cookie is not None:
        if not same_secret(csrf, found[0].csrf):
            raise Problem(403, f"The field {CSRF_FIELD} is missing or old: reload the page.")
        await staff.sessions.close(cookie)
        await staff.accounts.put_down("sign_out", who=found[1].id, address=_address(request))
    answer = RedirectResponse("/sign-in", 303)
    staff.put_out(answer)
    return answer


@pages_router.get(ACCOUNT_PATH)
async def account_page(request: Request, staff: StaffOf, pages: PagesOf, next: Next = None) -> Response:
    """
    What the person has here, and the form that changes the password.
    """
    found = await staff.sessions.holder(request.cookies.get(SESSION_COOKIE))
    if found is None:
        return _to_sign_in(staff.next(next, ACCOUNT_PATH))
    return _account(request, staff, pages, found, wanted=staff.next(next))


@pages_router.post(ACCOUNT_PATH)
async def change_password(
    request: Request,
    staff: StaffOf,
    pages: PagesOf,
    old: Typed = "",
    new: Typed = "",
    again: Typed = "",
    csrf: Annotated[str, Form(alias=CSRF_FIELD, max_length=200)] = "",
    next: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """
    Change the password. All other sessions of the person end, and this browser gets a new one.
    """
    found = await staff.sessions.holder(request.cookies.get(SESSION_COOKIE))
    if found is None:
        return _to_sign_in(ACCOUNT_PATH)
    session, account = found
    if foreign(request, people_of(request).own_origins) or not same_secret(csrf, session.csrf):
        raise Problem(403, f"The field {CSRF_FIELD} is missing or old, or another site sent this: reload the page.")
    wanted = staff.next(next)
    if new != again:
        differ = BadAccount("again", "İki yeni parola aynı değil.", "The two new passwords differ.")
        return _account(request, staff, pages, found, wanted=wanted, bad=differ, status=422)
    try:
        await staff.accounts.change_password(account, old, new, _address(request))
    except BadAccount as bad:
        return _account(request, staff, pages, found, wanted=wanted, bad=bad, status=422)
    except SignInRefused as refusal:
        wrong = BadAccount("old", "Şimdiki parola yanlış.", "The present password is wrong.")
        many = BadAccount("old", "Çok deneme oldu; biraz bekleyin.", "Too many attempts; wait a little.")
        told, status = (many, 429) if refusal.wait else (wrong, 422)
        return _account(request, staff, pages, found, wanted=wanted, bad=told, status=status)
    changed = await staff.repository.account(account.id)
    if changed is None:
        return _to_sign_in(ACCOUNT_PATH)
    return await _welcome(request, staff, changed, wanted)


# --- at a provider ---


@pages_router.get("/oidc/start")
async def oidc_start(request: Request, staff: StaffOf, pages: PagesOf, next: Next = None) -> Response:
    """
    Send the browser to the provider.
    """
    if staff.oidc is None:
        raise Problem(404, "No provider is set up here.")
    wanted, browser = staff.next(next), secrets.token_urlsafe(32)
    try:
        flow, url = await staff.oidc.begin(browser, wanted)
    except ProviderFailed as failure:
        log.warning("sign-in at the provider does not begin", why=str(failure))
        return _form(request, staff, pages, wanted, failed="provider", status=502)
    await staff.repository.begin(flow, staff.clock())
    answer = RedirectResponse(url, 303, headers={"Cache-Control": "no-store"})
    staff.set_cookie(answer, FLOW_COOKIE, browser, _FLOW_LIFETIME)
    return answer


@pages_router.get(CALLBACK_PATH)
async def oidc_callback(
    request: Request,
    staff: StaffOf,
    pages: PagesOf,
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4_000)] = "",
    iss: Annotated[str | None, Query(max_length=2_000)] = None,
) -> Response:
    """
    Take back a browser from the provider. A state counts once, and only for the browser that began with it.
    """
    if staff.oidc is None:
        raise Problem(404, "No provider is set up here.")
    flow = await staff.repository.finish(state, _flow_cookie(request), staff.clock())
    if flow is None or not code:
        return _form(request, staff, pages, flow.next if flow else "/", failed="flow", status=400)
    settings = staff.settings.oidc
    try:
        claims = await staff.oidc.claims(flow, code, iss)
        roles, departments = granted(claims, settings.roles_claim, settings.grants)
        subject = f"{claims['iss']} {claims['sub']}"
        user = str(claims.get(settings.user_claim) or "")
        account = await staff.accounts.known_by_provider(
            subject, user, provider_name(claims), roles, departments, _address(request)
        )
    except ProviderFailed as failure:
        log.warning("sign-in at the provider failed", why=str(failure))
        return _form(request, staff, pages, flow.next, failed="provider", status=502)
    except (NoRole, BadAccount):
        return _form(request, staff, pages, flow.next, failed="no_role", status=403)
    except SignInRefused as refusal:
        return _refused(request, staff, pages, flow.next, "", refusal)
    answer = await _welcome(request, staff, account, flow.next)
    answer.delete_cookie(FLOW_COOKIE, path="/")
    return answer


# --- what they share ---


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def _flow_cookie(request: Request) -> str:
    return hashed(request.cookies.get(FLOW_COOKIE, ""))


def _to_sign_in(wanted: str) -> Response:
    query = urlencode({"next": wanted})
    return RedirectResponse(f"/sign-in?{query}", 303, headers={"Cache-Control": "no-store"})


async def _go_on(request: Request, staff: Staff, wanted: str) -> Response | None:
    """
    On to the page that the holder of a session wants, with a new token; None without a session.
    """
    cookie = request.cookies.get(SESSION_COOKIE)
    found = await staff.sessions.holder(cookie)
    return _onward(staff, cookie, found, wanted) if cookie and found else None


def _onward(staff: Staff, cookie: str, found: tuple[Session, Account], wanted: str) -> Response:
    person = staff.sessions.person_of(*found)
    if person is None:
        to = f"{ACCOUNT_PATH}?{urlencode({'next': wanted})}"
    else:
        to = staff.home(person) if wanted == "/" else wanted
    answer = RedirectResponse(to, 303)
    if person is None:
        answer.delete_cookie(TOKEN_COOKIE, path="/")
    staff.take_in(answer, cookie, person.token if person else None)
    return answer


def _own_form(request: Request, shown: str) -> bool:
    """
    Whether the form came from our page in this browser: else somebody could be signed in as somebody else.
    """
    expected = request.cookies.get(FORM_COOKIE, "")
    return bool(expected) and same_secret(shown, expected) and not foreign(request, people_of(request).own_origins)


def _form(
    request: Request,
    staff: Staff,
    pages: Pages,
    wanted: str,
    *,
    user: str = "",
    failed: str = "",
    wait: timedelta = timedelta(),
    status: int = 200,
) -> Response:
    mark = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(32)
    headers = {"Retry-After": str(int(wait.total_seconds()) + 1)} if wait else {}
    answer = pages.render(
        request,
        "sign_in.html",
        status=status,
        headers=headers,
        mark=mark,
        next_url=wanted,
        user=user,
        failed=pages.say(request, *_FAILED[failed]) if failed else "",
        wait=int(wait.total_seconds()) + 1 if wait else 0,
        local=staff.settings.local_accounts,
        provider=staff.settings.oidc.label if staff.oidc else "",
        provider_url=f"/oidc/start?{urlencode({'next': wanted})}",
    )
    staff.set_cookie(answer, FORM_COOKIE, mark, _FORM_LIFETIME)
    return answer


def _refused(request: Request, staff: Staff, pages: Pages, wanted: str, user: str, refusal: SignInRefused) -> Response:
    status = 429 if refusal.wait else 401
    return _form(request, staff, pages, wanted, user=user, failed="credentials", wait=refusal.wait, status=status)


async def _welcome(request: Request, staff: Staff, account: Account, wanted: str) -> Response:
    """
    A new session for whoever proved who they are; the one that the browser had ends.
    """
    session, cookie = await staff.sessions.open(account, instead_of=request.cookies.get(SESSION_COOKIE))
    answer = _onward(staff, cookie, (session, account), wanted)
    answer.delete_cookie(FORM_COOKIE, path="/")
    return answer


def _account(
    request: Request,
    staff: Staff,
    pages: Pages,
    found: tuple[Session, Account],
    *,
    wanted: str,
    bad: BadAccount | None = None,
    status: int = 200,
) -> Response:
    session, account = found
    view: dict[str, Any] = {
        "account": account,
        "csrf": session.csrf,
        "must_change": session.must_change,
        "next_url": wanted,
        "errors": {bad.field: pages.say(request, bad.tr, bad.en)} if bad else {},
        "token_minutes": int(LIFETIME.total_seconds()) // 60,
    }
    person = staff.sessions.person_of(session, account)
    return pages.render(request, "account.html", person, status=status, **view)
