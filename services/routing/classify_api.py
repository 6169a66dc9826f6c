"""
``POST /v1/classify`` on routing's loopback port: what the desk asks while a citizen is still speaking.

It is routing's, for routing owns the model and the rules: the answer is what the request will get when it is sent (but
for what a crisis changes). Intake's desk calls it over HTTP, as no service imports another. Nothing of the text is kept
or logged.
"""

import unicodedata
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.common.contracts.vocabulary import Channel
from services.common.kit.ops import IN_WORKER
from services.routing.case import Rules
from services.routing.classify import decide_texts, refer_to
from services.routing.opinions import Classifier
from services.routing.places import neighbourhoods_in, streets_in

PATH: Final = "/v1/classify"
MAX_BYTES: Final = 65_536
MAX_TEXT: Final = 4_000


class Asked(BaseModel):
    """
    The body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    text: str = Field(min_length=1, max_length=MAX_TEXT)
    channel: Channel | None = None

    @field_validator("text")
    @classmethod
    def _visible(cls, text: str) -> str:
        if all(unicodedata.category(char)[0] in "ZC" for char in text):
            raise ValueError("nothing in it can be seen")
        return text


def routes(rules: Rules) -> tuple[web.RouteDef, ...]:
    """
    The route, for ``WorkerSpec.routes``. Errors are problem documents (RFC 9457): 413 for more than 64 KiB, 422 with
    the field that is wrong, 503 while routing has no model.
    """

    model = rules.model

    async def classify(request: web.Request) -> web.Response:
        if model is None:
            return problem(503, "Routing runs without a model.")
        raw = b""
        async for part in request.content.iter_any():
            raw += part
            if len(raw) > MAX_BYTES:
                return problem(413, f"The body is larger than {MAX_BYTES} bytes.")
        try:
            asked = Asked.model_validate(orjson.loads(raw))
        except orjson.JSONDecodeError:
            return problem(422, "The body could not be read.", [("body", "not JSON")])
        except ValidationError as error:
            wrong = [
                (".".join(map(str, row["loc"])) or "body", row["msg"]) for row in error.errors(include_input=False)
            ]
            return problem(422, "Some fields are not as they should be.", wrong)
        found = await request.app[IN_WORKER](lambda: answer(asked, rules, model))
        return web.Response(body=orjson.dumps(found), content_type="application/json")

    return (web.post(PATH, classify),)


def answer(asked: Asked, rules: Rules, model: Classifier) -> dict[str, object]:
    """
    What ``classify`` gives, and where the text says it is: the first neighbourhood and the first street (with its
    number) that it names, and the body that is responsible if it is not the municipality; null where there is none.
    """
    decision = decide_texts([(asked.text, asked.channel)], rules, model)[0]
    quarter = next((found.name for found in neighbourhoods_in(asked.text)), None)
    street = next(
        (f"{found.name} No: {found.number}" if found.number else found.name for found in streets_in(asked.text)), None
    )
    return {
        **decision.as_json(),
        "neighbourhood": quarter,
        "street": street,
        "refer_to": refer_to(decision, rules.book.catalogue),
    }


def problem(status: int, detail: str, errors: Sequence[tuple[str, str]] = ()) -> web.Response:
    """
    An error as RFC 9457 has it, with the fields at fault; it quotes nothing of the body's values.
    """
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": [{"field": field, "message": message.removeprefix("Value error, ")} for field, message in errors],
    }
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/problem+json")
