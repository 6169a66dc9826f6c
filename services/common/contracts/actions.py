"""
What each action on a request needs, what it may have besides, and who may ask for it. One table for all who must know:
intake refuses by it at once, routing has the last word by it, and the pages and the command line draw forms from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.common.contracts.vocabulary import Action

_NOTES: Final = ("note_public", "note_internal")
_WHY: Final = ("note_internal", "note_public")
_PHOTOS: Final = (*_NOTES, "photos")


@dataclass(frozen=True, slots=True)
class Shape:
    """
    What an action needs (of each tuple at least one field), and what it may have besides: fields of UpdateSubmitted.
    """

    needs: tuple[tuple[str, ...], ...] = ()
    may: tuple[str, ...] = _NOTES

    @property
    def takes(self) -> frozenset[str]:
        """
        Every field that belongs to the action.
        """
        return frozenset(self.may).union(*self.needs)


SHAPES: Final[Mapping[Action, Shape]] = {
    Action.ACCEPT: Shape(may=(*_NOTES, "service_code")),
    Action.START: Shape(may=_PHOTOS),
    Action.REJECT: Shape((_WHY,), ("to", "service_code")),
    Action.TRANSFER: Shape((("to",),), (*_NOTES, "service_code")),
    Action.SCHEDULE: Shape((("planned_for",),)),
    Action.ASK: Shape((("question",),)),
    Action.WAIT: Shape((("referred_to",),)),
    Action.EXTEND: Shape((("note_public",),)),
    Action.SPLIT: Shape((("parts",),)),
    Action.RESOLVE: Shape((("outcome",), ("note_public",)), (*_PHOTOS, "service_code")),
    Action.REFER: Shape((("referred_to",), ("note_public",))),
    Action.DUPLICATE: Shape((("master",),)),
    Action.CANCEL: Shape((_WHY,)),
    Action.REOPEN: Shape((_WHY,)),
    Action.NOTE: Shape((("note_internal",),), ("photos",)),
}
ANY_ACTION_MAY: Final = frozenset({"expected_seq"})
"""Fields that belong to every action."""
FOR_A_CLOSED_REQUEST: Final = frozenset({Action.REOPEN, Action.NOTE})
BY_THE_DESK: Final = frozenset({Action.CANCEL, Action.REOPEN, Action.NOTE})
"""What the desk may do to a request that another department holds."""
NOT_FOR_A_PART: Final = frozenset({Action.SPLIT, Action.DUPLICATE})
