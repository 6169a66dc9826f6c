"""
The webhook for every SMS gateway: ``POST /webhooks/sms/{token}``, JSON or form, in one of the shapes of ``shapes.py``.

A 200 means that it is kept. After a 503 the gateway sends again; what it sends twice is one message.
"""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.common.kit.http import BodyError, FieldError, Problem, problems
from services.intake.hooks import owner_of, value_of
from services.intake.sms.gateways import Gateways
from services.intake.sms.shapes import NoText, texts_of

router = APIRouter(tags=["conversations"])


class Taken(BaseModel):
    """
    How many texts were understood, and how many parts of the body were none.
    """

    texts: int
    ignored: int


@router.post("/webhooks/sms/{token}", responses=problems(401, 413, 415, 422, 503))
async def post_texts(request: Request, token: str) -> Taken:
    """
    For SMS gateways: somebody wrote to us. Several messages may come at once.
    """
    gateways: Gateways = request.app.state.parts.sms
    gateway = owner_of(token, gateways.tokens)
    if gateway is None:
        raise Problem(401, "No SMS gateway has this token.", headers={"WWW-Authenticate": "Token"})
    media_type = request.headers.get("content-type", "")
    try:
        texts, ignored = texts_of(value_of(await request.body(), media_type, "utf-8", "windows-1254"))
    except (BodyError, NoText) as error:
        errors = [FieldError(field="body", message=str(error))]
        raise Problem(422, "The body could not be read.", errors=errors) from None
    await gateways.take(gateway, texts, ignored)
    return Taken(texts=len(texts), ignored=ignored.total())
