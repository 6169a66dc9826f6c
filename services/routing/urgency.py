"""
What goes first when there is a backlog: asked of every record as it is read, long before it is decided.
"""

from collections.abc import Callable

from services.common.contracts.envelope import Received
from services.common.contracts.events import CrisisDeclared, RequestReceived
from services.routing.choosing import question
from services.routing.opinions import Classifier
from services.routing.rules import RuleBook


def looks_urgent(book: RuleBook, model: Classifier | None = None) -> Callable[[Received], bool]:
    """
    Requests for an emergency service, said by the sender or by the first rule that matches the text, or, without a
    service_code, whose text tells of danger; and what declares a crisis, for it changes how the backlog is decided.
    Pure. Nothing is decided by it, it only changes the order: danger in a text that came with the code of an ordinary
    service is seen when its turn comes, for asking the model about all would make every emergency wait for it.
    """

    def urgent(received: Received) -> bool:
        if isinstance(received.data, CrisisDeclared):
            return True
        return isinstance(received.data, RequestReceived) and _is_emergency(received.data, book, model)

    return urgent


def _is_emergency(request: RequestReceived, book: RuleBook, model: Classifier | None) -> bool:
    known = book.catalogue.services
    if request.service_code is not None and request.service_code in known:
        return known[request.service_code].emergency
    hit = book.first_service(question(request))
    if hit is not None and known[hit.service].emergency:
        return True
    return model is not None and model.opinions([request.text])[0].danger >= model.alarm
