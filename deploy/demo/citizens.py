"""
What citizens do when they are told something: answer a question, call because it is not done, or no longer needed.
Pure: the same message, the same reaction.
"""

import random
from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.day import Line
from deploy.demo.story import Story, story_of
from services.common.contracts.vocabulary import TRIAGE_DEPARTMENT, Action

ANSWERS_A_QUESTION: Final = 0.7
WRITES_UNASKED: Final = 0.03
WRITES: Final = ("whatsapp", "email", "sms")  # everybody else calls, and an operator types what they say

ANSWERS: Final = (
    "Binanın arka tarafında, B blok girişinin hemen yanında.",
    "Evet, hâlâ sürüyor; en çok akşamları oluyor.",
    "Fotoğraftaki yer, okulun karşısı. Gündüz evdeyim, arayabilirsiniz.",
)
MORE: Final = "Ek bilgi: aynı sorun yan sokakta da var, oraya da bakılırsa seviniriz."
NOT_DONE: Final = "Vatandaş aradı: bildirilen iş yapılmamış, sorun sürüyor."
NOT_NEEDED: Final = "Vatandaş aradı: sorun kendiliğinden çözülmüş, başvurusundan vazgeçti."


@dataclass(frozen=True, slots=True)
class Call:
    """
    So many seconds after the message: what is posted to ``replies`` or, by the desk that took the call, to ``updates``
    of the request. ``name`` is the same for the same call.
    """

    name: str
    after: float
    to: str
    body: dict[str, Any]


def reaction(line: Line, transition: str) -> Call | None:
    """
    What the citizen does who was told of a transition; mostly nothing.
    """
    kind = transition.partition(".")[0]
    story = story_of(line)
    dice = random.Random(f"{line.name} {kind}")
    after = dice.uniform(0.6, 2.5)
    told = kind in ("received", "assigned") and transition == kind
    if kind == "asked" and dice.random() < ANSWERS_A_QUESTION:
        return Call(transition, after, "replies", _reply(line, dice.choice(ANSWERS), dice))
    if told and story is Story.PLAIN and dice.random() < WRITES_UNASKED:
        return Call("more", after, "replies", _reply(line, MORE, dice))
    if told and story is Story.CANCELLED:
        return Call("cancel", after, "updates", _by_the_desk(Action.CANCEL, NOT_NEEDED))
    if transition == "closed" and story is Story.REOPENED:
        return Call("reopen", after, "updates", _by_the_desk(Action.REOPEN, NOT_DONE))
    return None


def _reply(line: Line, text: str, dice: random.Random) -> dict[str, Any]:
    channel = line.body["channel"]
    if channel in WRITES:
        return {"text": text, "channel": channel}
    return {"text": text, "channel": "phone", "entered_by": f"operator-{dice.randint(1, 6)}"}


def _by_the_desk(action: Action, note: str) -> dict[str, Any]:
    return {"department": TRIAGE_DEPARTMENT, "action": action, "note_internal": note}
