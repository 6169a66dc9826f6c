"""
What would be told, over HTTP: for whoever wants to know what a citizen hears before it happens.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from services.common.kit.auth import Caller
from services.common.kit.guard import DOCUMENTED, scoped
from services.common.kit.http import FieldError, Problem, StrictRoute, problems
from services.notify.plan_answer import Basis, Plan, answer
from services.notify.plan_question import NotAsked, Question

SCOPE = "plan:preview"
router = APIRouter(route_class=StrictRoute, dependencies=DOCUMENTED, tags=["plan"])


@router.post("/v1/plan", responses=problems(401, 403, 422, 503))
async def plan(request: Request, _: Annotated[Caller, Depends(scoped(SCOPE))], question: Question) -> Plan:
    """
    What would be told of an event: to whom, on which channel, when and in which words, or why not. Nothing is sent and
    nothing is kept.
    """
    basis: Basis = request.app.state.basis
    try:
        return answer(question, basis)
    except NotAsked as error:
        fields = [FieldError(field=field, message=message) for field, message in error.errors]
        raise Problem(422, "Some fields are not as they should be.", errors=fields) from None
