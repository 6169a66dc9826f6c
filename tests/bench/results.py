"""
The results of a run: as JSON, as a Markdown table, and beside those that are kept in ``results.json``.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench.figures import Figure, ratio, shown

KEPT: Final = Path(__file__).with_name("results.json")
_HEAD: Final = "| what | figure | goal | beside | ratio |\n|---|---:|---:|---|---:|"


@dataclass
class Results:
    """
    ``machine``: what it ran on, by name. ``figures`` by subject. ``left_out``: why a subject, or a peer, has none.
    """

    machine: dict[str, str] = field(default_factory=dict)
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)


def to_json(results: Results) -> str:
    """
    The results as JSON, with each ratio, for a person and for ``from_json``.
    """
    subjects = {
        name: [asdict(one) | {"ratio": ratio(one, figures)} for one in figures]
        for name, figures in results.figures.items()
    }
    body = {"machine": results.machine, "figures": subjects, "left_out": results.left_out}
    return json.dumps(body, indent=1, ensure_ascii=False, sort_keys=False) + "\n"


def from_json(text: str) -> Results:
    """
    The inverse of ``to_json``. Raises ``ValueError`` or ``KeyError`` for anything else.
    """
    body: Mapping[str, Any] = json.loads(text)
    fields = Figure.__dataclass_fields__
    figures = {
        name: [Figure(**{key: value for key, value in row.items() if key in fields}) for row in rows]
        for name, rows in body["figures"].items()
    }
    return Results(dict(body["machine"]), figures, {name: list(why) for name, why in body["left_out"].items()})


def read(path: Path) -> Results:
    """
    What a file holds; nothing if there is none yet.
    """
    return from_json(path.read_text(encoding="utf-8")) if path.exists() else Results()


def markdown(results: Results) -> str:
    """
    A table a subject, under the machine's name.
    """
    machine = " · ".join(f"{name}: {value}" for name, value in results.machine.items())
    parts = [f"Measured on {machine}."]
    for subject, figures in results.figures.items():
        parts.append(f"**{subject}**\n\n{_HEAD}\n" + "\n".join(_line(one, figures) for one in figures))
        parts += [f"Not measured: {reason}" for reason in results.left_out.get(subject, ())]
    return "\n\n".join(parts) + "\n"


def _line(figure: Figure, figures: Sequence[Figure]) -> str:
    goal = ""
    if figure.goal is not None:
        sign = "≥" if figure.unit == "/s" else "≤"
        goal = f"{sign} {shown(figure.goal)} {'✓' if figure.reached else '✗'}"
    times = ratio(figure, figures)
    part = "" if times is None else f"{times:.2f}"
    return f"| {figure.name} | {shown(figure.value)} {figure.unit} | {goal} | {figure.beside or ''} | {part} |"
