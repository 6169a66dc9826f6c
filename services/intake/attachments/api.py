"""
Attachments over HTTP: one file in a multipart body, and its forms for those who may see them.
"""

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from services.common.kit import guard
from services.common.kit.auth import Caller
from services.common.kit.http import FieldError, Problem, problems
from services.intake.attachments.kinds import MAX_BYTES
from services.intake.attachments.service import Attachments, Later, Shown, Taken
from services.intake.attachments.store import Size

PATH: Final = "/v1/attachments"
BODY_LIMITS: Final = {PATH: MAX_BYTES + 16_384}
"""What ``http.install`` is to let through: a file and what multipart puts around it."""
SECONDS_TO_SEND: Final = 120.0

_NUMBER: Final = re.compile(r"a_[0-9a-f]{32}")
_SCOPES: Final = ("requests:write", "updates:write")
_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {"file": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_CONTENTS: Final[dict[str, Any]] = {
    kind: {"schema": {"type": "string", "format": "binary"}}
    for kind in ("image/jpeg", "image/png", "image/webp", "image/gif", "application/pdf")
}


class Position(BaseModel):
    """
    A point (WGS84).
    """

    lat: float
    lon: float


class AttachmentTaken(BaseModel):
    """
    The file is kept. ``taken_at`` and ``position`` are what the camera wrote into it: a suggestion for whoever sent it.
    """

    attachment_id: str = Field(examples=["a_0123456789abcdef0123456789abcdef"])
    media_type: str = Field(examples=["image/jpeg"], description="by content")
    bytes: int
    width: int | None = Field(description="as seen, upright; null for a PDF")
    height: int | None
    taken_at: AwareDatetime | None
    position: Position | None


async def _sender(request: Request) -> Caller:
    caller = await guard.caller(request)
    if not any(caller.may(scope) for scope in _SCOPES):
        guard.need(caller, _SCOPES[0])
    return caller


async def _attachments(request: Request) -> Attachments:
    attachments: Attachments = request.app.state.parts.attachments
    return attachments


CallerOf = Annotated[Caller, Depends(guard.caller)]
SenderOf = Annotated[Caller, Depends(_sender)]
AttachmentsOf = Annotated[Attachments, Depends(_attachments)]
router = APIRouter(tags=["attachments"], dependencies=guard.DOCUMENTED)


@router.post(PATH, status_code=201, responses=problems(401, 403, 408, 413, 415, 422, 503), openapi_extra=_FORM)
async def post_attachment(request: Request, caller: SenderOf, attachments: AttachmentsOf) -> AttachmentTaken:
    """
    Take one file (JPEG, PNG, WebP, GIF or a plain PDF, at most 12 MB) to be named by a request or an update.

    What it is shows its content alone. The same file from the same caller has the same number. One that no request
    names within 24 hours is deleted.
    """
    try:
        with attachments.place(caller.adapter):
            taken = await attachments.take(await _file(request), caller)
    except Later as error:
        raise Problem(503, f"{error} Please send it again.", headers={"Retry-After": "5"}) from None
    return _answer(taken)


@router.get(
    PATH + "/{attachment_id}",
    response_class=Response,
    responses={
        200: {"description": "The file.", "content": _CONTENTS},
        304: {"description": "It is as it was."},
        **problems(401, 403, 404, 422, 503),
    },
)
async def get_attachment(
    attachment_id: str, request: Request, caller: CallerOf, attachments: AttachmentsOf, size: Size | None = None
) -> Response:
    """
    A file: ``public`` (the default for a picture) and ``thumb`` are copies that hold nothing but the picture,
    ``original`` is what was sent. It is shown to those who may see the request it belongs to; 404 for all others.
    """
    shown = None
    if _NUMBER.fullmatch(attachment_id):
        shown = await attachments.show(attachment_id, size, caller)
    if shown is None:
        raise Problem(404, "There is no such file that you may see.")
    headers = _headers(shown)
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return StreamingResponse(shown.pieces, media_type=shown.media_type, headers=headers)


async def _file(request: Request) -> bytes:
    """
    The one file of the body. Raises ``Problem``.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "multipart/form-data":
        raise Problem(415, "The body must be multipart/form-data with one part, file.")
    try:
        async with asyncio.timeout(SECONDS_TO_SEND):
            form = await request.form(max_files=1, max_fields=1)
    except TimeoutError:
        raise Problem(408, f"The file did not come within {SECONDS_TO_SEND:.0f} seconds.") from None
    except HTTPException:
        raise _body("is not multipart/form-data with one part, file") from None
    try:
        others = set(form) - {"file", guard.CSRF_FIELD}
        upload = form.get("file")
        if others or not isinstance(upload, UploadFile):
            raise _body("must have one part, file, which is a file (with a filename)")
        return await upload.read()
    finally:
        await form.close()


def _body(message: str) -> Problem:
    return Problem(422, "The body could not be read.", errors=[FieldError(field="file", message=message)])


def _answer(taken: Taken) -> AttachmentTaken:
    attachment, position = taken.attachment, taken.position
    return AttachmentTaken(
        attachment_id=attachment.id,
        media_type=attachment.kind,
        bytes=attachment.size,
        width=attachment.width,
        height=attachment.height,
        taken_at=taken.taken_at,
        position=Position(lat=position[0], lon=position[1]) if position else None,
    )


def _headers(shown: Shown) -> dict[str, str]:
    copy = shown.size is not Size.ORIGINAL
    suffix = "jpg" if copy else shown.attachment.kind.suffix
    return {
        "Content-Disposition": f'{"inline" if copy else "attachment"}; filename="{shown.attachment.id}.{suffix}"',
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-site",
        "Cache-Control": "private, no-cache",
        "ETag": f'"{shown.attachment.id}-{shown.size}"',
    }
