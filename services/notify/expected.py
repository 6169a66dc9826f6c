"""
Which templates there are, and what each must say.
"""

from typing import Final

from services.common.contracts.vocabulary import Clock, Outcome, Saying, Status
from services.notify.domain import SAYING
from services.notify.transitions import (
    ACCEPTED,
    ASKED,
    ASSIGNED,
    CLOSING,
    ESCALATED,
    EXTENDED,
    FOLLOWED,
    IN_PROGRESS,
    RECEIVED,
    REMINDED,
    REOPENED,
    SCHEDULED,
    WAITING,
)

DIGEST: Final = "digest"
SUMMARY: Final = "summary"  # one message about several requests
COMMON: Final = frozenset({"municipality", "phone"})
_REQUEST: Final = frozenset({"number", "url"})
MAIL_ONLY: Final = frozenset({"neighbourhood", "since", "role"})  # a short message has no room for them
IN_SUBJECT: Final = frozenset({"number", "urgent"})
_STAFF: Final = frozenset({"department", "service", "neighbourhood", "since", "day", "late", "urgent", "role"})
_ANSWER: Final = frozenset({"answer"})
_ADVICE: Final = frozenset({"advice"})
_RATED: Final = frozenset({"answer", "details"})
_OF_REQUESTS: Final[dict[str, frozenset[str]]] = {
    RECEIVED: _ADVICE,
    f"{RECEIVED}_assigned": _ADVICE | {"department"},
    f"{RECEIVED}_triage": _ADVICE,
    ASSIGNED: _ADVICE | {"department"},
    f"{ASSIGNED}_triage": _ADVICE,
    ACCEPTED: frozenset({"department", "answer"}),
    IN_PROGRESS: frozenset({"department", "answer"}),
    SCHEDULED: frozenset({"day", "answer"}),
    ASKED: frozenset({"question", "answer"}),
    REMINDED: frozenset({"question"}),
    WAITING: frozenset({"body", "answer"}),
    EXTENDED: frozenset({"day", "answer"}),
    CLOSING: _RATED,
    **{f"{CLOSING}_{outcome}": _RATED for outcome in Outcome},
    f"{CLOSING}_{Outcome.REFERRED}": _RATED | {"body"},
    f"{CLOSING}_{Outcome.INVALID}": _ANSWER,
    f"{CLOSING}_{Outcome.CANCELLED}": _ANSWER,
    # What routing writes by itself here is Turkish alone and says what the template says in both languages.
    f"{CLOSING}_{Outcome.DUPLICATE}": frozenset(),
    f"{CLOSING}_{Outcome.NO_REPLY}": frozenset(),
    REOPENED: frozenset({"department"}),
    f"{FOLLOWED}_{Status.SCHEDULED}": frozenset({"day", "answer"}),
    f"{FOLLOWED}_{Status.RESOLVED}": _ANSWER,
    f"{FOLLOWED}_{Status.REJECTED}": _ANSWER,
    f"{FOLLOWED}_{Status.REFERRED}": _ANSWER,
    # What was written to the master's citizen here (you withdrew, you did not answer) is not for the duplicate's.
    f"{FOLLOWED}_{Status.CANCELLED}": frozenset(),
    f"{FOLLOWED}_{Status.DUPLICATE}": frozenset(),
    f"{FOLLOWED}_{Status.REOPENED}": frozenset(),
    **{f"{ESCALATED}_{clock}": _STAFF for clock in Clock},
}
_SAID: Final[dict[Saying, frozenset[str]]] = {
    Saying.NOTICE: frozenset({"municipality", "abroad", "notice"}),
    Saying.WHICH: frozenset({"options"}),
    Saying.ADDED: _REQUEST,
    Saying.STOPPED: frozenset({"phone"}),
    Saying.CLOSED: _REQUEST | {"options"},
}
_DIGEST: Final = frozenset({"department", "today", "open", "overdue", "soon", "list", "url"})
# Which placeholders each template must have; these and the municipality's name and telephone it may have.
EXPECTED: Final[dict[str, frozenset[str]]] = {
    **{name: special | _REQUEST for name, special in _OF_REQUESTS.items()},
    **{f"{SAYING}{saying}": _SAID.get(saying, frozenset()) for saying in Saying},
    SUMMARY: frozenset({"count", "list"}),
    DIGEST: _DIGEST,
}


class BrokenTemplates(Exception):
    """
    A template file is not as it must be; the message names the file, the template and what is wrong.
    """
