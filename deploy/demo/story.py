"""
What kind of life a line of the day leads, which departments and citizens act out. Pure: the same line, the same story.
"""

import random
from enum import StrEnum, auto
from typing import Final

from deploy.demo.day import Line


class Story(StrEnum):
    """
    What happens to a request besides being taken up by its department and settled.
    """

    PLAIN = auto()
    PLANNED = auto()  # somebody comes on a day that is told
    ASKED = auto()  # the citizen is asked something
    WAITED = auto()  # another body has to do something first
    REOPENED = auto()  # it was not done as the citizen was told
    CANCELLED = auto()  # the citizen needs it no more before anybody took it up
    FORGOTTEN = auto()  # it lay until its time was over and the deputy mayor heard of it
    EXTENDED = auto()  # law 4982's longer term
    VISITED = auto()  # a team goes from door to door
    TOLD_BEFORE = auto()  # a neighbour reported the same


SHARES: Final = {
    Story.PLANNED: 0.10,
    Story.ASKED: 0.08,
    Story.WAITED: 0.06,
    Story.REOPENED: 0.06,
    Story.CANCELLED: 0.04,
}  # the rest is plain
_NEEDS_A_CITIZEN: Final = frozenset({Story.ASKED, Story.REOPENED, Story.CANCELLED})


def story_of(line: Line) -> Story:
    """
    The story of a line. Nobody asks or hears from a citizen who stays unknown.
    """
    if "answered" in line.body:
        return Story.PLAIN
    if line.again is not None:
        return Story.TOLD_BEFORE
    if line.hours_ago:
        return Story.FORGOTTEN
    if line.service.startswith("vefa-"):
        return Story.VISITED
    if line.body.get("legal", {}).get("basis") == "4982":
        return Story.EXTENDED
    lot = random.Random(f"story {line.name}").random()
    for story, share in SHARES.items():
        if lot < share:
            return Story.PLAIN if story in _NEEDS_A_CITIZEN and "citizen" not in line.body else story
        lot -= share
    return Story.PLAIN
