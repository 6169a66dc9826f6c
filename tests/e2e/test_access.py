"""
Role × endpoint × department: every route of every service, called as every kind of caller, about a request that one
department holds. What each line of ``access.yaml`` says is what happens, and no route is without a line.
"""

import re
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from fastapi import FastAPI

import services.intake.api
import services.notify.api
import services.reporting.api
from deploy.observe import Observer
from deploy.stack.config import ROOT
from deploy.stack.stack import Stack
from services.common.contracts.events import Lifecycle
from services.common.contracts.topics import LIFECYCLE
from services.common.kit.guard import CSRF_HEADER, RENEW_PATH
from services.notify.settings import NotifySettings
from services.reporting.settings import ApiSettings
from tests.waiting import eventually

pytestmark = pytest.mark.e2e

TABLE: Final[dict[str, dict[str, Any]]] = yaml.safe_load(Path(__file__).with_name("access.yaml").read_text("utf-8"))
URLS: Final = {"intake": "INTAKE_URL", "reporting": "REPORTING_URL", "notify": "NOTIFY_URL"}
PEOPLE: Final = {
    "operator": "operator", "holder": "zabita", "other": "fen-isleri", "manager": "mudur", "admin": "admin"
}  # fmt: skip
DEPARTMENTS: Final = {"operator": "basin-halkla-iliskiler", "other": "fen-isleri"}
CALLERS: Final = ("nobody", "key", *PEOPLE)
BESIDES: Final = re.compile(r"^(/healthz|/readyz|/metrics|/openapi\.json|/docs.*|/redoc|/static/.*)$")
"""The same in every service, for everybody, without anybody's data."""
KEPT_OUT: Final = {401, 403, 404, 409}
WORDS: Final = f"s{secrets.token_hex(6)}"  # of the citizen's text
NAME: Final = f"Vatandaş {secrets.token_hex(6)}"
READS_WORDS: Final = {"operator", "holder", "manager"}
READS_NAMES: Final = {"operator"}


@dataclass
class Caller:
    """
    One kind of caller, and what it has about it.
    """

    name: str
    http: httpx.Client


@dataclass
class World:
    """
    A stack with a request that Zabıta holds, with a photo, a call in the queue, and one caller of each kind.
    """

    stack: Stack
    names: dict[str, str]
    callers: list[Caller]


def routes_of(app: FastAPI) -> set[str]:
    """
    ``METHOD path`` of every route, those of included routers too.
    """

    def below(routes: Any) -> Iterator[Any]:
        for route in routes:
            if hasattr(route, "effective_candidates"):
                yield from below(route.effective_candidates())
            elif getattr(route, "path", None):
                yield route

    found: set[str] = set()
    for route in below(app.routes):
        if not BESIDES.match(route.path):
            found |= {f"{method} {route.path}" for method in route.methods or () if method != "HEAD"}
    return found


def app_of(service: str) -> FastAPI:
    """
    The app as it is served, unopened.
    """
    match service:
        case "intake":
            return services.intake.api.create_app(None)  # type: ignore[arg-type]
        case "notify":
            return services.notify.api.create_app(NotifySettings())
    secret = "x" * 40
    settings = ApiSettings.model_validate({"cursor_secret": secret, "token_secret": secret})
    return services.reporting.api.create_app(settings)


def sign_in(stack: Stack, user: str) -> httpx.Client:
    browser = httpx.Client(timeout=30, headers={"Sec-Fetch-Site": "same-origin"})
    page = f"{stack.env['REPORTING_URL']}/sign-in"
    mark = re.search(r'name="_form" value="([^"]+)"', browser.get(page).text)
    assert mark
    answer = browser.post(page, data={"user": user, "password": stack.env["PEOPLE_PASSWORD"], "_form": mark[1]})
    assert answer.status_code == 303, answer.text[:300]
    token = browser.get(f"{stack.env['REPORTING_URL']}/session/token").raise_for_status().json()
    browser.headers[CSRF_HEADER] = token["csrf"]
    return browser


def command(stack: Stack, *arguments: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=stack.env, capture_output=True, text=True, check=True
    )
    return run.stdout


@pytest.fixture(scope="module")
def world(stack: Stack) -> Iterator[World]:
    intake, reporting, notify = (stack.env[name] for name in URLS.values())
    all_scopes = httpx.Client(timeout=30, headers={"X-API-Key": stack.env["API_KEY"]})
    observer = Observer(stack.env["KAFKA_BOOTSTRAP_SERVERS"], (LIFECYCLE.name,), from_now=True)
    picture = {"file": ("foto.png", png(), "image/png")}
    photo = all_scopes.post(f"{intake}/v1/attachments", files=picture).raise_for_status().json()["attachment_id"]
    phone = f"0532{secrets.randbelow(10**7):07d}"
    body = {
        "channel": "phone", "service_code": "kaldirim-isgali", "text": f"Kaldırımda masalar var {WORDS}",
        "attachments": [photo], "location": {"neighbourhood": "Kale", "address": "Gazi Caddesi 5"},
        "citizen": {"phone": phone, "name": NAME},
    }  # fmt: skip
    request_id = all_scopes.post(f"{intake}/v1/requests", json=body).raise_for_status().json()["request_id"]
    call = {"event": "newCall", "direction": "in", "from": phone, "to": "4445501", "callId": secrets.token_hex(8)}
    hook = f"{intake}/webhooks/telephony/{stack.env['TELEPHONY_TOKEN']}"
    assert all_scopes.post(hook, json=call).is_success
    assert all_scopes.post(hook, json=call | {"event": "hangup", "cause": "cancel"}).is_success
    ringing = call | {"callId": secrets.token_hex(8)}
    assert all_scopes.post(hook, json=ringing).is_success
    people = {name: sign_in(stack, user) for name, user in PEOPLE.items()}

    def held() -> bool:
        answer = all_scopes.get(f"{reporting}/v1/requests/{request_id}")
        return answer.is_success and answer.json()["department"] == "zabita"

    def call_back() -> Any:
        items = people["operator"].get(f"{notify}/v1/callbacks", params={"state": "open"}).json()["callbacks"]
        return next((item["id"] for item in items if "missed_call" in item["sources"]), None)

    eventually(held)
    calls = eventually(lambda: people["operator"].get(f"{intake}/console/calls").json()["calls"])
    names = {"request_id": request_id, "attachment_id": photo, "call_id": calls[0]["call_id"], "slug": "zabita"}
    names |= {"fmt": "json", "service_code": "yol-cukur", "service_request_id": request_id, "token": request_id}
    names["item_id"] = names["callback_id"] = eventually(call_back)
    names["contact_id"] = eventually(lambda: contact_of(observer, request_id))
    observer.close()
    note = {"action": "note", "department": "zabita", "note_internal": "baktık"}
    noted = people["holder"].post(f"{intake}/v1/requests/{request_id}/updates", json=note)
    names["update_id"] = noted.raise_for_status().json()["update_id"]
    command(
        stack,
        "services.reporting",
        "users",
        "add",
        f"yeni-{secrets.token_hex(4)}",
        "--name",
        "Yeni Kişi",
        "--role",
        "manager",
    )
    listed = people["admin"].get(f"{reporting}/users").text
    names["person_id"] = re.findall(r"/users/(u_[0-9a-f]{16})\">Yeni Kişi", listed)[-1]
    key = f"ilk_{secrets.token_urlsafe(32)}"
    command(stack, "services.intake", "keys", "add", "--name", "webform", "--scopes", "requests:write", "--key", key)
    callers = [
        Caller("nobody", httpx.Client(timeout=30)),
        Caller("key", httpx.Client(timeout=30, headers={"X-API-Key": key})),
        *(Caller(name, browser) for name, browser in people.items()),
    ]
    yield World(stack, names, callers)
    for caller in callers:
        caller.http.close()
    all_scopes.close()


def contact_of(observer: Observer, request_id: str) -> str | None:
    observer.poll()
    found = (one.event.data for one in observer.seen if one.event is not None)
    return next(
        (data.contact_id for data in found if isinstance(data, Lifecycle) and data.request_id == request_id), None
    )


def png() -> bytes:
    from io import BytesIO

    from PIL import Image

    out = BytesIO()
    Image.new("RGB", (40, 30), (secrets.randbelow(256), 90, 60)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("service", TABLE)
def test_every_route_has_its_line_and_every_line_its_route(service: str) -> None:
    assert {line.split(" (")[0] for line in TABLE[service]} == routes_of(app_of(service))


@pytest.mark.parametrize("service", TABLE)
def test_whoever_calls_whatever_the_table_says_who_gets_in(
    world: World, service: str, record_property: Callable[[str, object], None]
) -> None:
    cells: Counter[str] = Counter()
    wrong = []
    for line, rule in TABLE[service].items():
        method, path = line.split(" (")[0].split(" ", 1)
        may = {"all": set(CALLERS), "none": set[str]()}.get(str(rule["may"]), set(rule["may"]))
        for caller in world.callers:
            own = {"department": DEPARTMENTS.get(caller.name, "zabita"), "key": secrets.token_hex(8)}
            own["csrf"] = caller.http.headers.get(CSRF_HEADER, "")
            fill = {**world.names, **own, **filled(rule.get("names", {}), own)}
            sent = {what: filled(rule[what], fill) for what in ("json", "data", "params") if what in rule}
            status, text = call(caller.http, method, world.stack.env[URLS[service]] + filled(path, fill), sent)
            got_in = status not in KEPT_OUT
            if got_in and path.endswith("/updates"):
                got_in = applied(world, path, fill, text)
            cells["in" if got_in else "out"] += 1
            if status >= 500 or got_in != (caller.name in may):
                wrong.append(f"{line} as {caller.name}: {status}")
            if (WORDS in text and caller.name not in READS_WORDS) or (NAME in text and caller.name not in READS_NAMES):
                wrong.append(f"{line} as {caller.name}: shows what it must not")
    assert not wrong, f"{len(wrong)} of {cells.total()} cells: " + "; ".join(wrong)
    record_property("cells", f"{service}: {cells.total()} cells, {cells['in']} in, {cells['out']} out")


def call(http: httpx.Client, method: str, url: str, sent: dict[str, Any]) -> tuple[int, str]:
    """
    Status and text of an answer; of one that never ends, the beginning. To be sent to sign in counts as a 401.
    """
    with http.stream(method, url, headers={"Accept": "*/*"}, **sent) as answer:
        if answer.is_redirect:
            where = answer.headers["location"]
            return (401 if RENEW_PATH in where or "/sign-in" in where else answer.status_code), ""
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return answer.status_code, next(answer.iter_text())
        return answer.status_code, answer.read().decode("utf-8", "replace")


def applied(world: World, path: str, fill: dict[str, str], text: str) -> bool:
    """
    Whether routing, which has the last word, did what was asked.
    """
    base = world.stack.env["INTAKE_URL"] + filled(path, fill)
    number = re.search(r'"update_id": *"([^"]+)"', text)
    assert number, text

    def result() -> str | None:
        with httpx.Client(headers={"X-API-Key": world.stack.env["API_KEY"]}) as http:
            answer = http.get(f"{base}/{number[1]}")
        known = answer.json()["result"] if answer.is_success else "pending"
        return None if known == "pending" else known

    return eventually(result) == "applied"


def filled(value: Any, names: dict[str, str]) -> Any:
    """
    The value with ``{name}`` filled in wherever it stands in it; ``{path:path}`` too.
    """
    if isinstance(value, dict):
        return {name: filled(one, names) for name, one in value.items()}
    if not isinstance(value, str):
        return value
    return re.sub(r"\{([a-z_]+)(?::path)?\}", lambda found: names.get(found[1], found[0]), value)
