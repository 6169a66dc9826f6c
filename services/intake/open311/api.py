"""
GeoReport v2 over HTTP. Reading needs no key; reporting needs ``api_key``.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Request, Response
from fastapi.responses import StreamingResponse

from services.common.contracts.ids import IllFormedId, parse_request_id
from services.common.contracts.vocabulary import Language
from services.common.kit.auth import Caller
from services.intake.attachments.store import Size
from services.intake.open311 import answers, parameters
from services.intake.open311.coverage import ours
from services.intake.open311.definitions import offered
from services.intake.open311.endpoint import BODY_LIMIT, Open311, sent
from services.intake.open311.parameters import Given, NotTaken, value
from services.intake.open311.reading import NOTHING, PublicPage, PublicView, ReadingAway
from services.intake.open311.shape import PREFIX, Format, answer, format_of, refusal
from services.intake.schemas import CALLER_KEY

BODY_LIMITS: Final = {f"{PREFIX}/requests.{form}": BODY_LIMIT for form in Format}
"""What ``http.install`` is to let through: reports with their photos."""
_BULK_SPAN: Final = timedelta(days=366)
_READER: Final = Caller("open311", frozenset({"texts:read"}), frozenset())
_RETRY: Final = {"Retry-After": "2"}
_CONTENTS: Final[dict[str, Any]] = {
    "application/json": {"schema": {"type": ["array", "object"]}},
    "text/xml": {"schema": {"type": "string"}},
}
_ERRORS: Final[dict[str, Any]] = {
    "application/json": {
        "schema": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code", "description"],
                "properties": {"code": {"type": "integer"}, "description": {"type": "string"}},
            },
        }
    },
    "text/xml": {"schema": {"type": "string"}},
}
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_MOMENT: Final[dict[str, Any]] = {"type": "string", "format": "date-time"}
_KINDS: Final[dict[str, dict[str, Any]]] = {
    "service_code": {"type": "string", "enum": list(offered())},
    "lat": {"type": "number", "minimum": -90, "maximum": 90},
    "long": {"type": "number", "minimum": -180, "maximum": 180},
    "radius": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000, "description": "metres"},
    "page": {"type": "integer", "minimum": 0},
    "page_size": {"type": "integer", "minimum": 1, "maximum": 1_000},
    "max_requests": {"type": "integer", "minimum": 1, "maximum": 1_000},
    "description": {"type": "string", "maxLength": 4_000},
    "email": {"type": "string", "format": "email"},
    "media_url": {
        "type": "string",
        "maxLength": 2_000,
        "description": "a link to a picture; with INTAKE_FETCH_MEDIA it is fetched before the report is taken and must "
        "lead with https and at most 3 redirects to a JPEG, PNG, WebP or GIF on a server of the public internet",
    },
    **dict.fromkeys(("start_date", "end_date", "updated_after", "updated_before", "updated_datetime"), _MOMENT),
    **{name: {"type": "boolean"} for name in ("extensions", "with_picture", "just_count")},
}
_MEANINGS: Final = {
    400: "Something is missing or wrong",
    403: "No valid api_key",
    404: "No such resource, service or jurisdiction",
    408: "Too slow",
    413: "Too large",
    429: "Too many calls",
    503: "Not now: again after Retry-After seconds",
}


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": "OK", "content": _CONTENTS},
        **{status: {"description": _MEANINGS[status], "content": _ERRORS} for status in (*statuses, 429)},
    }


def _queries(*names: str) -> dict[str, Any]:
    found = [{"name": name, "in": "query", "required": False, "schema": _KINDS.get(name, _TEXT)} for name in names]
    return {"parameters": [*found, *_EVERYWHERE]}


def _body(*required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": list(required),
        "properties": {name: _KINDS.get(name, _TEXT) for name in (*required, *optional)},
        "additionalProperties": _TEXT,
    }
    forms = ("application/x-www-form-urlencoded", "multipart/form-data")
    return {"requestBody": {"required": True, "content": {form: {"schema": schema} for form in forms}}}


_EVERYWHERE: Final[list[dict[str, Any]]] = [
    {
        "name": "jurisdiction_id",
        "in": "query",
        "required": False,
        "schema": {"type": "string", "enum": ["", "ilkadim.bel.tr"]},
        "description": "need not be named: this endpoint serves one (INTAKE_OPEN311_JURISDICTION)",
    },
    {"name": "lang", "in": "query", "required": False, "schema": {"type": "string", "enum": ["tr", "en"]}},
]
_WHICH: Final = (
    "service_request_id", "service_code", "start_date", "end_date", "status", "page", "page_size", "updated_after",
    "updated_before", "lat", "long", "radius", "area_code", "extensions", "detailed_status", "keyword", "with_picture",
    "just_count", "max_requests",
)  # fmt: skip
_REPORTED: Final = (
    "api_key", "jurisdiction_id", "lat", "long", "address_string", "address_id", "description", "email", "phone",
    "first_name", "last_name", "account_id", "device_id", "media_url", "media",
)  # fmt: skip


async def _form(request: Request, fmt: Annotated[str, Path(json_schema_extra={"enum": list(Format)})]) -> Format:
    if fmt not in tuple(Format):
        raise NotTaken(404, "There are two formats: .xml and .json.")
    return Format(fmt)


async def _given(request: Request) -> Given:
    given: dict[str, list[str]] = {}
    for name, text in request.query_params.multi_items():
        given.setdefault(name, []).append(text)
    parameters.known_jurisdiction(given, _endpoint(request).jurisdiction)
    return given


def _endpoint(request: Request) -> Open311:
    endpoint: Open311 = request.app.state.parts.open311
    return endpoint


async def _open311(request: Request) -> Open311:
    return _endpoint(request)


async def _language(request: Request) -> Language:
    return Language.EN if request.query_params.get("lang") == Language.EN else Language.TR


FormOf = Annotated[Format, Depends(_form)]
GivenOf = Annotated[Given, Depends(_given)]
EndpointOf = Annotated[Open311, Depends(_open311)]
LanguageOf = Annotated[Language, Depends(_language)]
ServiceCode = Annotated[str, Path(json_schema_extra={"enum": list(offered())})]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", pattern=CALLER_KEY)]

router = APIRouter(prefix=PREFIX, tags=["open311"])


@router.get("/discovery.{fmt}", response_class=Response, responses=_answers(400, 404), openapi_extra=_queries())
async def get_discovery(form: FormOf, _: GivenOf, endpoint: EndpointOf) -> Response:
    """
    Where this endpoint is, what it speaks, how to get a key.
    """
    return answer(
        form, "discovery", answers.discovery(endpoint.base_url, endpoint.contact, endpoint.key_service, endpoint.known)
    )


@router.get("/services.{fmt}", response_class=Response, responses=_answers(400, 404), openapi_extra=_queries())
async def get_services(form: FormOf, _: GivenOf, endpoint: EndpointOf, language: LanguageOf) -> Response:
    """
    What can be reported.
    """
    return answer(form, "services", answers.services(endpoint.known, language))


@router.get(
    "/services/{service_code}.{fmt}", response_class=Response, responses=_answers(400, 404), openapi_extra=_queries()
)
async def get_definition(
    form: FormOf, _: GivenOf, endpoint: EndpointOf, service_code: ServiceCode, language: LanguageOf
) -> Response:
    """
    What a service asks besides place and text.
    """
    if service_code not in offered():
        raise NotTaken(404, "service_code was not found: see GET /services.")
    return answer(form, "service_definition", answers.definition(service_code, endpoint.known, language))


@router.post(
    "/requests.{fmt}",
    response_class=Response,
    responses=_answers(400, 403, 404, 408, 413, 503),
    openapi_extra=_body("service_code", optional=_REPORTED),
)
async def post_report(
    request: Request, form: FormOf, endpoint: EndpointOf, idempotency_key: IdempotencyKey = None
) -> Response:
    """
    Report something. The answer has the number as soon as the report is kept.
    """
    what = await sent(request)
    parameters.known_jurisdiction(what.given, endpoint.jurisdiction)
    caller = await endpoint.caller(request, what.given)
    in_batch = endpoint.in_batch(what.given)
    number = await endpoint.report(what, caller, idempotency_key)
    shown = answers.taken_in_batch(endpoint.token_of(number)) if in_batch else answers.taken(number)
    return answer(form, "service_requests", shown)


@router.get(
    "/tokens/{token}.{fmt}", response_class=Response, responses=_answers(400, 404, 503), openapi_extra=_queries()
)
async def get_token(form: FormOf, _: GivenOf, endpoint: EndpointOf, token: str) -> Response:
    """
    The number behind a token; null until the report is processed.
    """
    number = endpoint.number_of(token)
    processed = await endpoint.reader.there(number)
    return answer(form, "service_requests", answers.token_of(token, number if processed else None))


@router.get(
    "/requests.{fmt}", response_class=Response, responses=_answers(400, 404, 503), openapi_extra=_queries(*_WHICH)
)
async def get_requests(form: FormOf, given: GivenOf, endpoint: EndpointOf, language: LanguageOf) -> Response:
    """
    Public requests, the newest first: of the last 90 days if no time is named, at most 1,000 on a page.
    ``X-Total-Count`` says how many fit.
    """
    wanted = parameters.wanted(given, endpoint.clock())
    found = await _page(endpoint, wanted)
    if wanted.count_only:
        return answer(form, "service_requests", {"count": found.total})
    shown = [answers.request(_pictured(endpoint, view), language, extensions=wanted.extensions) for view in found.items]
    return answer(form, "service_requests", shown, headers={"X-Total-Count": str(found.total)})


@router.get(
    "/requests/{service_request_id}.{fmt}",
    response_class=Response,
    responses=_answers(400, 404, 503),
    openapi_extra=_queries("extensions"),
)
async def get_request(
    form: FormOf, given: GivenOf, endpoint: EndpointOf, service_request_id: str, language: LanguageOf
) -> Response:
    """
    One public request, in an array. A number given just now is waited for (2 s, then 503).
    """
    view = await _one(endpoint, service_request_id)
    extensions = (value(given, "extensions") or "").lower() in ("true", "1")
    return answer(
        form, "service_requests", [answers.request(_pictured(endpoint, view), language, extensions=extensions)]
    )


@router.get(
    "/coverage.{fmt}", response_class=Response, responses=_answers(400, 404), openapi_extra=_queries("lat", "long")
)
async def get_coverage(form: FormOf, given: GivenOf) -> Response:
    """
    Whether a point is ours.
    """
    return answer(form, "coverage", {"result": ours(*parameters.point(given))})


@router.get("/coverage", response_class=Response, responses=_answers(400, 404), openapi_extra=_queries("lat", "long"))
async def get_coverage_json(given: GivenOf) -> Response:
    """
    Whether a point is ours, in JSON.
    """
    return await get_coverage(Format.JSON, given)


@router.get(
    "/servicerequestupdates.{fmt}",
    response_class=Response,
    responses=_answers(400, 404, 503),
    openapi_extra=_queries("start_date", "end_date", "api_key"),
)
async def get_updates(form: FormOf, given: GivenOf, endpoint: EndpointOf, language: LanguageOf) -> Response:
    """
    What happened to public requests, the oldest first, at most 1,000 steps (FixMyStreet's extension).
    """
    steps = await endpoint.reader.steps(parameters.stretch_of(given, endpoint.clock()))
    return answer(form, "service_request_updates", [answers.update(step, language) for step in steps])


@router.post(
    "/servicerequestupdates.{fmt}",
    response_class=Response,
    responses=_answers(400, 403, 404, 408, 413, 503),
    openapi_extra=_body("api_key", "service_request_id", "update_id", "status", "updated_datetime", "description"),
)
async def post_update(request: Request, form: FormOf, endpoint: EndpointOf) -> Response:
    """
    Add words to a request (FixMyStreet's extension). The same ``update_id`` may be sent again.
    """
    what = await sent(request)
    parameters.known_jurisdiction(what.given, endpoint.jurisdiction)
    caller = await endpoint.caller(request, what.given)
    return answer(form, "service_request_updates", answers.update_taken(await endpoint.update(what, caller)))


@router.get(
    "/bulk/requests.csv",
    response_class=Response,
    responses={**_answers(400, 404, 503), 200: {"description": "OK", "content": {"text/csv": {}}}},
    openapi_extra=_queries(*_WHICH),
)
async def get_bulk(given: GivenOf, endpoint: EndpointOf, language: LanguageOf) -> Response:
    """
    Every public request that fits, as one CSV file; ``start_date`` and ``end_date`` may span 366 days.
    """
    wanted = parameters.wanted(given, endpoint.clock(), span=_BULK_SPAN, paged=False)
    first = await _page(endpoint, wanted)
    headers = {"Content-Disposition": 'attachment; filename="open311-requests.csv"'}
    return StreamingResponse(
        _lines(endpoint, wanted, first, language), media_type="text/csv; charset=utf-8", headers=headers
    )


@router.get(
    "/media/{service_request_id}/{picture}.jpg",
    response_class=Response,
    responses={
        200: {"description": "The picture.", "content": {"image/jpeg": {}}},
        **{status: row for status, row in _answers(404, 503).items() if status != 200},
    },
)
async def get_picture(endpoint: EndpointOf, service_request_id: str, picture: str) -> Response:
    """
    A picture that shows what was done; nothing of what citizens sent.
    """
    view = await _one(endpoint, service_request_id)
    shown = await endpoint.attachments.show(picture, Size.PUBLIC, _READER) if picture in view.photos else None
    if shown is None:
        raise NotTaken(404, "There is no such picture.")
    return StreamingResponse(
        shown.pieces, media_type=shown.media_type, headers={"Cache-Control": "public, max-age=3600"}
    )


@router.api_route("/{rest:path}", methods=["GET", "POST"], include_in_schema=False)
async def nothing_there(rest: str) -> Response:
    """
    Whatever else is asked for.
    """
    raise NotTaken(404, "There is nothing here: see the discovery document.")


async def _page(endpoint: Open311, wanted: parameters.Wanted) -> PublicPage:
    return NOTHING if wanted.query is None else await endpoint.reader.page(wanted.query, wanted.ids or ())


async def _one(endpoint: Open311, number: str) -> PublicView:
    try:
        view = await endpoint.reader.one(parse_request_id(number))
    except IllFormedId:
        view = None
    if view is None:
        raise NotTaken(404, "service_request_id was not found.")
    return view


async def _lines(
    endpoint: Open311, wanted: parameters.Wanted, first: PublicPage, language: Language
) -> AsyncIterator[str]:
    """
    The file, a page at a time. If reporting goes away in the middle the answer breaks off, as it must.
    """
    page, number = first, 1
    yield answers.csv_rows(page.items, language, head=True)
    while len(page.items) == parameters.MOST_ROWS and wanted.query is not None:
        number += 1
        page = await _page(endpoint, replace(wanted, query={**wanted.query, "page": str(number)}))
        yield answers.csv_rows(page.items, language, head=False)


def _pictured(endpoint: Open311, view: PublicView) -> PublicView:
    urls = tuple(
        f"{endpoint.base_url}/media/{view.request_id}/{photo}.jpg"
        for photo in view.photos
        if re.fullmatch(r"a_[0-9a-f]{32}", photo)
    )
    return view.model_copy(update={"media_urls": urls})


def install(app: FastAPI) -> None:
    """
    The routes, and Open311's answers to what they raise.
    """

    @app.exception_handler(NotTaken)
    async def _not_taken(request: Request, error: NotTaken) -> Response:
        headers = _RETRY if error.status == 503 else {}
        return refusal(format_of(request.url.path), error.status, error.messages, headers=headers)

    @app.exception_handler(ReadingAway)
    async def _away(request: Request, error: ReadingAway) -> Response:
        message = f"This cannot be read now ({error}): please ask again."
        return refusal(format_of(request.url.path), 503, [message], headers=_RETRY)

    app.include_router(router)
