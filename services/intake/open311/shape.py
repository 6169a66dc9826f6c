"""
Answers in the format that the path names, errors in Open311's shape whatever made them, and open to pages of others.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final

import orjson
from fastapi import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.intake.open311.answers import errors
from services.intake.open311.xml import document

PREFIX: Final = "/open311/v2"
_STATUS: Final = {401: 403, 409: 400, 415: 400, 422: 400}
_OURS: Final = (b"application/json", b"text/xml", b"text/csv", b"image/")
_OPEN: Final = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"X-Total-Count, Retry-After"),
    (b"x-content-type-options", b"nosniff"),
]
_PREFLIGHT: Final = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Content-Type, X-API-Key, Idempotency-Key"),
    (b"access-control-max-age", b"86400"),
]


class Format(StrEnum):
    """
    The two formats of GeoReport.
    """

    XML = "xml"
    JSON = "json"


def answer(
    form: Format, root: str, value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """
    A value in a format; ``root`` is XML's outermost element, which JSON does without.
    """
    if form is Format.JSON:
        body, kind = orjson.dumps(value), "application/json; charset=utf-8"
    else:
        body, kind = document(root, value).encode(), "text/xml; charset=utf-8"
    return Response(body, status_code=status, headers={**(headers or {}), "Content-Type": kind})


def refusal(
    form: Format, status: int, messages: Iterable[str], *, headers: Mapping[str, str] | None = None
) -> Response:
    """
    An error.
    """
    return answer(form, "errors", errors(status, messages), status=status, headers=headers)


def format_of(path: str) -> Format:
    """
    The format that a path asks for; XML, which everybody must speak, if it names none of ours.
    """
    return Format.JSON if path.endswith(".json") else Format.XML


class Shape:
    """
    Outermost around the application: on Open311's paths every error, the framework's and the limits' too, becomes
    Open311's, 400 standing for all that it has no number for; what breaks is a 500 in that shape.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Pass one request on, and look at its answer.
        """
        if scope["type"] != "http" or not (scope["path"] == PREFIX or scope["path"].startswith(f"{PREFIX}/")):
            await self.app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*_OPEN, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b""})
            return
        foreign: dict[str, Any] = {}
        started = False

        async def shaped(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                headers = message["headers"]
                kind = dict(headers).get(b"content-type", b"")
                if message["status"] >= 400 and not kind.startswith(_OURS):
                    foreign.update(message, body=b"")
                    return
                message = {**message, "headers": [*headers, *_OPEN]}
            elif foreign:
                foreign["body"] += message.get("body", b"")
                if message.get("more_body"):
                    return
                started = True
                await _translated(foreign, scope)(scope, receive, _opened(send))
                return
            started = True
            await send(message)

        try:
            await self.app(scope, receive, shaped)
        except Exception:
            if not started:
                broken = refusal(format_of(scope["path"]), 500, ["Something broke on our side; it is in the log."])
                await broken(scope, receive, _opened(send))
            raise


def _opened(send: Send) -> Send:
    async def opened(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *_OPEN]}
        await send(message)

    return opened


def _translated(foreign: Mapping[str, Any], scope: Scope) -> Response:
    status = _STATUS.get(foreign["status"], foreign["status"])
    kept = {name: text for name, text in foreign["headers"] if name in (b"retry-after", b"allow")}
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in kept.items()}
    return refusal(format_of(scope["path"]), status, _messages(foreign["body"]), headers=headers)


def _messages(body: bytes) -> list[str]:
    """
    What a problem document says: its fields at fault, else its detail.
    """
    try:
        problem = orjson.loads(body)
        fields = [f"{row['field']} {row['message']}" for row in problem.get("errors", ())]
        return fields or [str(problem["detail"])]
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError):
        return ["This cannot be answered."]
