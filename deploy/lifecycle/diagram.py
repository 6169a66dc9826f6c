"""
The picture of the moves: few arrows between groups of states instead of more than a hundred between single ones.

An arrow from a group stands for one from each of its states, an arrow to a group for one to each. Together they say
exactly what ``moves.MOVES`` says; a test takes them apart again.
"""

from collections.abc import Iterable, Mapping
from html import escape
from itertools import product
from typing import Final, NamedTuple

from services.common.contracts.vocabulary import CLOSED, STATUS_LABELS, Status
from services.routing.moves import MOVES
from services.routing.timing import UNACCEPTED, WAITING


class Group(NamedTuple):
    """
    States that lead to the same ones: its name in a diagram, its labels, and its states in the order of the vocabulary.
    """

    name: str
    tr: str
    en: str
    states: tuple[Status, ...]


def _in_order(states: Iterable[Status]) -> tuple[Status, ...]:
    return tuple(sorted(states, key=list(Status).index))


_OPEN: Final = frozenset(Status) - CLOSED
_WORK: Final = _OPEN - UNACCEPTED - {Status.RECEIVED, Status.ACCEPTED}
GROUPS: Final = (
    Group("henuz_ustlenilmedi", "Henüz üstlenilmedi", "Not taken up yet", _in_order(UNACCEPTED)),
    Group("ustlenildi", "Üstlenildi", "Taken up", _in_order(_WORK | {Status.ACCEPTED})),
    Group("suruyor", "Sürüyor", "Under way", _in_order(_WORK)),
    Group("kapandi", "Kapandı", "Closed", _in_order(CLOSED)),
)


class Arrow(NamedTuple):
    """
    From each state of one group or state to each of another.
    """

    source: str
    target: str


def states_of(name: str) -> tuple[Status, ...]:
    """
    The states of a group, or the one state of that name.
    """
    return next((group.states for group in GROUPS if group.name == name), None) or (Status(name),)


def arrows(moves: Mapping[Status, frozenset[Status]] = MOVES) -> list[Arrow]:
    """
    The moves as arrows, those that say the most first.
    """
    names = [group.name for group in GROUPS] + [str(state) for state in Status]
    left = {(source, target) for source, targets in moves.items() for target in targets}
    candidates = {
        Arrow(source, target): set(product(states_of(source), states_of(target)))
        for source, target in product(names, repeat=2)
        if source == target or not set(states_of(source)) & set(states_of(target))  # none from a box into itself
    }
    found = []
    while left:
        best = max(candidates, key=lambda arrow: len(candidates[arrow]) if candidates[arrow] <= left else 0)
        left -= candidates.pop(best)
        found.append(best)
    return found


def mermaid() -> str:
    """
    The picture as a Mermaid state diagram. A group whose states lead to each other says so in a note: an arrow from a
    group to itself is not drawn everywhere.
    """
    lines = ["stateDiagram-v2", "    direction TB", "    [*] --> received"]
    lines += [f"    {state}: {STATUS_LABELS[state].tr}" for state in Status]
    for group in GROUPS:
        inner = [other for other in GROUPS if other != group and set(other.states) < set(group.states)]
        nested = {state for other in inner for state in other.states}
        if any(set(group.states) < set(other.states) for other in GROUPS):
            continue
        lines += [f'    state "{group.tr}" as {group.name} {{']
        lines += [f"        {state}" for state in group.states if state not in nested]
        for other in inner:
            lines += [f'        state "{other.tr}" as {other.name} {{']
            lines += [f"            {state}" for state in other.states]
            lines += ["        }"]
        lines += ["    }"]
    for source, target in arrows():
        if source == target and len(states_of(source)) > 1:
            lines += [f"    note right of {source}: her durumdan her duruma"]
        else:
            lines += [f"    {source} --> {target}"]
    return "\n".join(lines) + "\n"


# --- the picture without a browser ---


class _Box(NamedTuple):
    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h


_W, _H = 196, 46
_STATES: Final[dict[str, _Box]] = {
    "received": _Box(24, 130, 150, _H),
    "triage": _Box(266, 80, _W, _H),
    "assigned": _Box(266, 176, _W, _H),
    "reopened": _Box(266, 300, _W, _H),
    "accepted": _Box(646, 80, _W, _H),
    "in_progress": _Box(586, 206, 150, _H),
    "scheduled": _Box(752, 206, 150, _H),
    "waiting_citizen": _Box(586, 284, 150, _H),
    "waiting_external": _Box(752, 284, 150, _H),
    **{str(state): _Box(235 + 137 * n, 498, 132, _H) for n, state in enumerate(_in_order(CLOSED))},
}
_GROUPS: Final[dict[str, _Box]] = {
    "henuz_ustlenilmedi": _Box(228, 36, 272, 352),
    "ustlenildi": _Box(564, 36, 360, 352),
    "suruyor": _Box(578, 166, 332, 182),
    "kapandi": _Box(228, 456, 696, 106),
}
_COLOURS: Final = {"henuz_ustlenilmedi": "#fff4dc", "ustlenildi": "#e3f1fb", "suruyor": "#d0e6f7", "kapandi": "#eceff1"}


def _span(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    """
    What two stretches have in common; backwards if nothing.
    """
    return max(a[0], b[0]), min(a[1], b[1])


def _path(arrow: Arrow, boxes: Mapping[str, _Box]) -> str:
    """
    The way of an arrow: straight where the boxes face each other, in a bow to itself or past a box in between.
    """
    a, b = boxes[arrow.source], boxes[arrow.target]
    pair = arrow.source in _GROUPS and arrow.target in _GROUPS
    if a == b:
        x, y = a.right - 50, a.bottom
        return f"M{x},{y} C{x - 8},{y + 30} {x + 38},{y + 30} {x + 30},{y}"
    low, high = _span((a.y, a.bottom), (b.y, b.bottom))
    if high > low:
        y = low + 14 if pair else (low + high) // 2
        return f"M{a.right},{y} H{b.x}" if a.x < b.x else f"M{a.x},{y} H{b.right}"
    low, high = _span((a.x, a.right), (b.x, b.right))
    if high > low:
        down = a.y < b.y
        between = [
            box
            for box in boxes.values()
            if box not in (a, b) and box.x <= low < box.right and min(a.bottom, b.bottom) < box.y < max(a.y, b.y)
        ]
        if between and not pair and arrow.source in _STATES and arrow.target in _STATES:
            x, start, end = a.x, a.y + a.h // 2, b.y + b.h // 2
            return f"M{x},{start} C{x - 34},{start} {x - 34},{end} {x},{end}"
        x = high - 34 if pair else (low + high) // 2 + (18 if down else -18)
        return f"M{x},{a.bottom} V{b.y}" if down else f"M{x},{a.y} V{b.bottom}"
    x, y = a.right, a.y + a.h // 2
    return f"M{x},{y} L{b.x},{b.y + b.h // 2}"


def _label(box: _Box, tr: str, en: str, y: int, size: int) -> list[str]:
    x = box.x + box.w // 2
    return [
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="600">{escape(tr)}</text>',
        f'<text x="{x}" y="{y + size + 3}" font-size="{size - 1}" fill="#546e7a">{escape(en)}</text>',
    ]


def svg() -> str:
    """
    The picture as SVG; waiting states, in which the clock stands still, have a broken border.
    """
    boxes = _STATES | _GROUPS
    out = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 948 612" width="948" height="612" '
        'font-family="system-ui, Arial, sans-serif" text-anchor="middle" fill="#263238">',
        "<title>Başvurunun durumları / The states of a request</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#37474f"/></marker></defs>',
        '<rect width="948" height="612" fill="#ffffff"/>',
    ]
    for group in GROUPS:
        box = _GROUPS[group.name]
        out.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" rx="14" fill="{_COLOURS[group.name]}" '
            'stroke="#90a4ae"/>'
        )
        heading = f"{group.tr} / {group.en}"
        out.append(f'<text x="{box.x + box.w // 2}" y="{box.y + 26}" font-size="13">{escape(heading)}</text>')
    for arrow in arrows():
        out.append(
            f'<path d="{_path(arrow, boxes)}" fill="none" stroke="#37474f" stroke-width="1.6" marker-end="url(#tip)">'
            f"<title>{arrow.source} → {arrow.target}</title></path>"
        )
    for state in Status:
        box = _STATES[state]
        dash = ' stroke-dasharray="5 4"' if state in WAITING else ""
        out.append(
            f'<rect x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" rx="8" fill="#ffffff" stroke="#546e7a"'
            f"{dash}/>"
        )
        size = 13 if box.w > 150 or state is Status.RECEIVED else 10
        out += _label(box, STATUS_LABELS[state].tr, STATUS_LABELS[state].en, box.y + 20, size)
    legend = (
        "Kutudan çıkan ok, içindeki her durumdan; kutuya giren ok, her duruma gider. Kesik çizgi: süre durur.",
        "An arrow from a box leaves each state in it, one to a box enters each. Broken border: the clock stands still.",
    )
    for n, line in enumerate(legend):
        out.append(f'<text x="576" y="{584 + 16 * n}" font-size="11" fill="#546e7a">{line}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
