"""
How a service serves pages: templates in two languages, static files, security headers, errors as pages.
"""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from types import CodeType
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.contracts.ids import grouped
from services.common.kit.clock import Clock, system_clock
from services.common.kit.http import PROBLEM_JSON, Problem
from services.common.kit.people import Person
from services.common.ui import formats, words
from services.common.ui.assets import Assets
from services.common.ui.failures import ADVICE, TITLES, nearest
from services.common.ui.formats import LANGUAGES, Language
from services.common.ui.links import Links
from services.common.ui.navigation import navigation
from services.common.ui.security import HEADERS, policy

HERE: Final = Path(__file__).parent
YEAR: Final = 365 * 24 * 3600
LANGUAGE_COOKIE: Final = "ilkim_lang"
THEME_COOKIE: Final = "ilkim_theme"
FLASH_COOKIE: Final = "ilkim_flash"
THEMES: Final = ("light", "dark")
Tone = Literal["ok", "info", "warn", "bad"]
_OWN_DOCUMENTS: Final = ("/docs", "/redoc")  # FastAPI's own: they bring their own scripts


class _Compiled(BytecodeCache):
    """
    What templates were compiled to: once a process, whatever the language and however many apps.
    """

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        assert bucket.code is not None  # noqa: S101 - jinja2 has just compiled it
        self._codes[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


class Pages:
    """
    The pages of one service. Templates are looked for in the service's folders, then in ours.

    Every template has ``t(tr, en)``, ``word(table, value)``, the formats (``moment``, ``day``, ``number`` …),
    ``static``, ``links``, ``ui`` (the macros) and ``lang``; per answer ``person``, ``nav``, ``here``, ``theme``,
    ``now`` and ``flash``.
    """

    def __init__(
        self,
        templates: Path | Sequence[Path],
        links: Links,
        *,
        static: Path | Sequence[Path] = (),
        now: Clock = system_clock,
    ) -> None:
        self.links = links
        self.assets = Assets([HERE / "static", *_folders(static)])
        self.csp = policy(links.origins)
        self._now = now
        self._secure = links.reporting.startswith("https:")
        self._environments = {language: self._environment(language, _folders(templates)) for language in LANGUAGES}

    def render(
        self,
        request: Request,
        name: str,
        person: Person | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **view: Any,
    ) -> HTMLResponse:
        """
        A template as an answer. ``person`` defaults to ``request.state.person``. Never kept by a cache.
        """
        language, theme = self.language(request), _theme(request)
        person = person or getattr(request.state, "person", None)
        html = (
            self._environments[language]
            .get_template(name)
            .render(
                person=person,
                nav=navigation(person, self.links),
                here=_Here(request),
                theme=theme,
                now=self._now(),
                flash=_flash(request),
                **view,
            )
        )
        answer = HTMLResponse(html, status_code=status, headers={"cache-control": "no-store", **(headers or {})})
        if request.query_params.get("lang") == language:
            self._keep(answer, LANGUAGE_COOKIE, language)
        if request.query_params.get("theme") in (*THEMES, "auto"):
            self._keep(answer, THEME_COOKIE, theme)
        if FLASH_COOKIE in request.cookies:
            answer.delete_cookie(FLASH_COOKIE, path="/")
        return answer

    def redirect(self, url: str, flash: str = "", tone: Tone = "ok") -> RedirectResponse:
        """
        Send the browser on (303) after a form; ``flash`` is said once on the next page. It travels in a cookie: no
        personal data in it.
        """
        answer = RedirectResponse(url, status_code=303, headers={"cache-control": "no-store"})
        if flash:
            value = base64.urlsafe_b64encode(json.dumps([tone, flash]).encode()).decode()
            answer.set_cookie(FLASH_COOKIE, value, max_age=60, httponly=True, samesite="lax", secure=self._secure)
        return answer

    def language(self, request: Request) -> Language:
        """
        ``?lang=``, else the cookie, else Turkish.
        """
        for wanted in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
            if wanted in LANGUAGES:
                return wanted
        return "tr"

    def say(self, request: Request, tr: str, en: str) -> str:
        """
        The text in the reader's language, for what is said outside of templates.
        """
        return tr if self.language(request) == "tr" else en

    def failure(self, request: Request, problem: Mapping[str, Any], headers: Mapping[str, str]) -> HTMLResponse:
        """
        A problem document as a page.
        """
        status = int(problem["status"])
        return self.render(
            request,
            "error.html",
            status=status,
            headers={name: headers[name] for name in ("retry-after", "allow") if name in headers},
            title=TITLES[nearest(status)],
            advice=ADVICE[nearest(status)],
            code=status,
            errors=problem.get("errors", []),
            retry_after=headers.get("retry-after", ""),
        )

    def _keep(self, answer: Response, cookie: str, value: str) -> None:
        answer.set_cookie(cookie, value, max_age=YEAR, samesite="lax", secure=self._secure)

    def _environment(self, language: Language, templates: Sequence[Path]) -> Environment:
        environment = Environment(
            loader=FileSystemLoader([*templates, HERE / "templates"]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        environment.globals.update(
            lang=language,
            t=_texts(language),
            word=lambda table, value: getattr(words.TABLES[table][str(value)], language),
            word_options=lambda table, only=None: words.options(table, language, only),
            static=self.assets.url,
            links=self.links,
            request_number=grouped,
            moment=lambda at: formats.moment(at, language),
            clock=formats.clock,
            day=lambda on, long=False: formats.day(on, language, long=long),
            number=lambda value, digits=1: formats.number(value, language, digits),
            percent=lambda share, digits=1: formats.percent(share, language, digits),
            span=lambda seconds: formats.span(timedelta(seconds=seconds), language),
            size=lambda count: formats.size(count, language),
            ago=lambda at: formats.ago(at, self._now(), language),
            due=lambda at: formats.due(at, self._now(), language),
            iso=lambda at: at.isoformat() if isinstance(at, date) else str(at),
        )
        environment.globals["ui"] = environment.get_template("macros.html").module
        return environment


def _folders(given: Path | Sequence[Path]) -> Sequence[Path]:
    return [given] if isinstance(given, Path) else given


class _Here:
    """
    The address of the page, as links on it need it.
    """

    def __init__(self, request: Request) -> None:
        self.path = request.url.path
        self._query = [
            (key, value) for key, value in request.query_params.multi_items() if key not in ("lang", "theme")
        ]
        self.url = self._with(self._query)

    def with_(self, **changes: str | int | None) -> str:
        """
        The same page with other parameters; None takes one away.
        """
        kept = [(key, value) for key, value in self._query if key not in changes]
        return self._with(kept + [(key, str(value)) for key, value in changes.items() if value is not None])

    def _with(self, query: list[tuple[str, str]]) -> str:
        return f"{self.path}?{urlencode(query)}" if query else self.path


def _texts(language: Language) -> Callable[..., str]:
    def t(tr: Any, en: Any = None, **values: Any) -> str:
        """
        One text in the reader's language. A lone argument has both (``.tr``, ``.en``). A pair is (one, other), chosen
        by ``n``. Numbers among the values are written as the language does.
        """
        both = {"tr": tr, "en": en} if en is not None else {language: getattr(tr, language)}
        chosen = both[language]
        if isinstance(chosen, tuple):
            chosen = chosen[0 if formats.plural(values["n"], language) == "one" else 1]
        if not values:
            return str(chosen)
        shown = {
            name: formats.number(value, language) if isinstance(value, int | float) else value
            for name, value in values.items()
        }
        return str(chosen).format(**shown)

    return t


def _theme(request: Request) -> str:
    for wanted in (request.query_params.get("theme"), request.cookies.get(THEME_COOKIE)):
        if wanted in THEMES:
            return wanted
        if wanted == "auto":
            break
    return "auto"


def _flash(request: Request) -> tuple[str, str] | None:
    try:
        tone, text = json.loads(base64.urlsafe_b64decode(request.cookies[FLASH_COOKIE]))
    except (KeyError, ValueError, TypeError):
        return None
    return (tone, text) if tone in ("ok", "info", "warn", "bad") and isinstance(text, str) else None


def wants_page(request: Request) -> bool:
    """
    Whether a browser asks for a page: it accepts HTML, and the path is no API's.
    """
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/v1/")


class _PageAnswers:
    """
    Problem documents become pages for browsers; every page gets its headers. (Outermost, so that it sees what the other
    layers refuse.)
    """

    def __init__(self, app: ASGIApp, pages: Pages) -> None:
        self.app = app
        self.pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Answer one request.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})
        request = Request(scope)
        held: Message | None = None
        body = b""

        async def answered(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start":
                kind = dict(message["headers"]).get(b"content-type", b"").decode()
                if kind.startswith(PROBLEM_JSON) and wants_page(request):
                    held = message
                    return
                _add_headers(message, self.pages.csp if kind.startswith("text/html") else "", request.url.path)
            elif held is not None:
                body += message.get("body", b"")
                if message.get("more_body"):
                    return
                headers = {name.decode(): value.decode() for name, value in held["headers"]}
                held = None
                page = self.pages.failure(request, json.loads(body), headers)
                await page(scope, receive, answered)
                return
            await send(message)

        await self.app(scope, receive, answered)


def _add_headers(message: Message, csp: str, path: str) -> None:
    present = {name.lower() for name, _ in message["headers"]}
    wanted = dict(HEADERS)
    if csp and path not in _OWN_DOCUMENTS:
        wanted["content-security-policy"] = csp
    message["headers"] = [
        *message["headers"],
        *((name.encode(), value.encode()) for name, value in wanted.items() if name.encode() not in present),
    ]


def install_pages(
    app: FastAPI,
    *,
    templates: Path | Sequence[Path],
    links: Links,
    static: Path | Sequence[Path] = (),
    now: Clock = system_clock,
) -> Pages:
    """
    Give an app pages: ``/static/…``, headers, and errors as pages for browsers (problem documents stay for all others
    and below ``/v1/``). Routes find them by ``PagesOf``. Call it after ``kit.http.install``.
    Raises ``ValueError`` if that was not done.
    """
    if Problem not in app.exception_handlers:
        raise ValueError("install_pages comes after kit.http.install")
    app.state.pages = pages = Pages(templates, links, static=static, now=now)
    app.add_middleware(_PageAnswers, pages=pages)

    @app.get("/static/{version}/{name:path}", include_in_schema=False)
    async def static_file(request: Request, version: str, name: str) -> Response:
        return pages.assets.answer(request, version, name)

    @app.exception_handler(Exception)
    async def _broken(request: Request, _: Exception) -> Response:
        problem = Problem(500, "Something broke on our side; it is in the log.")
        if not wants_page(request):
            return problem.response()
        page = pages.failure(request, problem.document.model_dump(), {})
        page.headers["content-security-policy"] = pages.csp
        page.headers.update(HEADERS)
        return page

    return pages


async def _pages(request: Request) -> Pages:
    pages: Pages = request.app.state.pages
    return pages


PagesOf = Annotated[Pages, Depends(_pages)]
"""The pages of the app, for a route."""
