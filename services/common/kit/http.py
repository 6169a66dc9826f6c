"""
What every HTTP service does alike: RFC 9457 problem documents, strict JSON bodies, a size limit, health and metrics.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from http import HTTPStatus
from time import monotonic
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.common.kit import metrics
from services.common.kit.health import Health
from services.common.kit.heap import settle
from services.common.kit.liveness import watched
from services.common.kit.logs import logging_config
from services.common.kit.settings import LivenessSettings, LogSettings

PROBLEM_JSON: Final = "application/problem+json"
MAX_DEPTH: Final = 32
KEEP_ALIVE_SECONDS: Final = 120
"""A caller's pool lets go of a quiet connection after 60 or 90 s as a rule: before we do, so that no request goes into
one that is being closed."""


class FieldError(BaseModel):
    """
    One field and what would be right there.
    """

    field: str = Field(examples=["citizen.phone"])
    message: str


class ProblemDocument(BaseModel):
    """
    An error as RFC 9457 has it, with the fields at fault.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Problem(Exception):
    """
    Raise it to answer with a problem document. Neither ``detail`` nor ``errors`` may quote what a citizen wrote.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: list[FieldError] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.document = ProblemDocument(
            title=HTTPStatus(status).phrase, status=status, detail=detail, errors=errors or []
        )
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """
        The answer.
        """
        return JSONResponse(
            self.document.model_dump(),
            status_code=self.document.status,
            headers=self.headers,
            media_type=PROBLEM_JSON,
        )


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """
    The ``responses=`` of a route: these statuses come as problem documents.
    """
    schema = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    return {
        status: {"model": ProblemDocument, "description": HTTPStatus(status).phrase, "content": schema}
        for status in statuses
    }


class BodyError(ValueError):
    """
    The body is not JSON as we take it.
    """


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BodyError("a key stands twice in one object")
    return found


def _no_constant(name: str) -> Any:
    raise BodyError(f"{name} is not JSON: leave the field out or give a number")


def strict_json(raw: bytes) -> Any:
    """
    Parse JSON (RFC 8259) strictly: UTF-8, no key twice, no NaN or Infinity, at most 32 levels deep.

    Raises ``BodyError`` saying what is wrong without quoting the body.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BodyError(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise BodyError(f"not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except BodyError:
        raise
    except ValueError:
        raise BodyError("a number is too long") from None
    except RecursionError:
        raise BodyError("the body is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise BodyError(f"the body is nested more than {MAX_DEPTH} levels deep")
    return value


def _deeper(value: Any, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        inner = [x.values() if isinstance(x, dict) else x for x in level if isinstance(x, dict | list)]
        level = [item for items in inner for item in items]
    return any(isinstance(x, dict | list) for x in level)


class _ReadRequest(Request):
    """
    A request whose JSON body is already read. (FastAPI turns whatever its own reading raises into a bare 400.)
    """

    async def read(self) -> None:
        raw = await self.body()
        if not raw:
            return
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
            raise Problem(415, "The body must be application/json.")
        try:
            self._json = strict_json(raw)
        except BodyError as error:
            fields = [FieldError(field="body", message=str(error))]
            raise Problem(422, "The body could not be read.", errors=fields) from None


class StrictRoute(APIRoute):
    """
    A route whose JSON body goes through ``strict_json``. Use as ``APIRouter(route_class=StrictRoute)``.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """
        The handler, given a request whose body is read. Another media type is answered 415.
        """
        original = super().get_route_handler()

        async def handler(request: Request) -> Response:
            strict = _ReadRequest(request.scope, request.receive)
            await strict.read()
            return await original(strict)

        return handler


class CutShort(Exception):
    """
    Raised in place of the rest of a body: the caller gets ``answer`` instead.
    """

    def __init__(self, answer: Response) -> None:
        super().__init__("the body was cut short")
        self.answer = answer


async def unless_cut_short(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """
    Call an app whose ``receive`` may raise ``CutShort``. The answer is given unless the app has begun with its own.
    """
    started = False

    async def noted(message: Message) -> None:
        nonlocal started
        started = True
        await send(message)

    try:
        await app(scope, receive, noted)
    except CutShort as cut:
        if not started:
            await cut.answer(scope, receive, send)


class BodyLimit:
    """
    Answer 413 as soon as more than ``limit`` bytes of a body have come in. ``larger`` has the limits of single paths,
    and of all paths under one that ends with a slash.
    """

    def __init__(self, app: ASGIApp, limit: int, larger: Mapping[str, int] | None = None) -> None:
        self.app = app
        self.limit = limit
        self.larger = larger or {}

    def limit_of(self, path: str) -> int:
        """
        How many bytes a body sent there may have.
        """
        if path in self.larger:
            return self.larger[path]
        under = (limit for prefix, limit in self.larger.items() if prefix.endswith("/") and path.startswith(prefix))
        return max(under, default=self.limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Count the bytes of one request.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise CutShort(_too_large(limit))
            return message

        await unless_cut_short(self.app, scope, counted, send)


def _too_large(limit: int) -> Response:
    return Problem(413, f"The body is larger than {limit} bytes.").response()


class Measure:
    """
    Count answers and their time. (Plain ASGI: Starlette's function middleware costs more than a small request.)
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Measure one request.
        """
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = monotonic(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            metrics.http_requests_total.labels(scope["method"], route, str(status)).inc()
            metrics.http_seconds.labels(scope["method"], route).observe(monotonic() - started)


def _fields(error: RequestValidationError) -> list[FieldError]:
    def name(loc: tuple[Any, ...]) -> str:
        parts = loc[1:] if loc[:1] in (("body",), ("query",), ("path",), ("header",)) and len(loc) > 1 else loc
        return ".".join(map(str, parts))[:200].encode("utf-8", "replace").decode()

    return [
        FieldError(field=name(row["loc"]), message=row["msg"].removeprefix("Value error, ")) for row in error.errors()
    ]


class _Server(uvicorn.Server):
    """
    A server whose app knows when it is asked to stop: streams without an end look at ``stopping``. It ends itself when
    it is stuck.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI, liveness: LivenessSettings) -> None:
        super().__init__(config)
        self._served = app
        self._liveness = liveness

    async def main_loop(self) -> None:
        settle()
        with watched(health_of(self._served), self._liveness):
            await super().main_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._served.state.stopping = True
        super().handle_exit(sig, frame)


def stopping(app: FastAPI) -> bool:
    """
    Whether the process was asked to stop: a stream that never ends by itself has to end now.
    """
    return getattr(app.state, "stopping", False)


def health_of(app: FastAPI) -> Health:
    """
    What the process that serves an app knows of itself.
    """
    if not hasattr(app.state, "health"):
        app.state.health = Health(ready=True)
    health: Health = app.state.health
    return health


def serve(app: FastAPI, host: str, port: int, logs: LogSettings, liveness: LivenessSettings) -> None:
    """
    Serve an app until SIGTERM, then finish what is under way for at most 20 s. Exits 3 if the app does not start, 1 if
    it is stuck (liveness.py).
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=logging_config(logs),
        access_log=False,
        loop="uvloop",
        http="httptools",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=20,
    )
    server = _Server(config, app, liveness)
    server.run()
    if not server.started:
        sys.exit(3)


Probe = Callable[[], Awaitable[dict[str, object]]]


def install(app: FastAPI, *, ready: Probe, body_limit: int = 262_144, larger: Mapping[str, int] | None = None) -> None:
    """
    Add error documents, the body limit (``larger``: see ``BodyLimit``), metrics and the routes /healthz, /readyz,
    /metrics to an app.

    ``ready`` gives what /readyz shows; a key ``ready`` that is False makes it a 503.
    """

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        return Problem(422, "Some fields are not as they should be.", errors=_fields(error)).response()

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return Problem(error.status_code, str(error.detail), headers=error.headers).response()

    @app.exception_handler(Exception)
    async def _broken(_: Request, __: Exception) -> Response:
        return Problem(500, "Something broke on our side; it is in the log.").response()

    app.add_middleware(BodyLimit, limit=body_limit, larger=larger)
    app.add_middleware(Measure)

    @app.get("/healthz", tags=["operation"], responses={503: {"description": "stuck"}})
    async def healthz() -> JSONResponse:
        """
        Whether the process gets on with its work; if not, it ends itself soon.
        """
        if stuck := health_of(app).stuck_because:
            return JSONResponse({"alive": False, "stuck_because": stuck}, status_code=503)
        return JSONResponse({"alive": True})

    @app.get("/readyz", tags=["operation"], responses={503: {"description": "not ready"}})
    async def readyz() -> JSONResponse:
        """
        Whether it can do its work now, and what it waits for if not.
        """
        report = await ready()
        return JSONResponse(report, status_code=200 if report.get("ready", True) else 503)

    @app.get("/metrics", tags=["operation"], response_class=PlainTextResponse)
    async def scrape() -> Response:
        """
        Prometheus text format.
        """
        return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)
