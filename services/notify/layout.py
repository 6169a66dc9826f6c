"""
A mail as HTML: one sheet that every mail program shows, in daylight and in the dark, with nothing loaded from anywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from services.common.contracts.vocabulary import CLOSED, Language, Status
from services.notify.domain import Row
from services.notify.transitions import ESCALATED, FOLLOWED

_STEPS: Final = {
    Language.TR: ("Alındı", "Birimde", "Çalışılıyor", "Sonuç"),
    Language.EN: ("Received", "Assigned", "In work", "Outcome"),
}
_STEP_OF: Final[Mapping[Status, int]] = {
    Status.RECEIVED: 1,
    Status.TRIAGE: 1,
    Status.ASSIGNED: 2,
    Status.ACCEPTED: 2,
    Status.REOPENED: 2,
    Status.IN_PROGRESS: 3,
    Status.SCHEDULED: 3,
    Status.WAITING_CITIZEN: 3,
    Status.WAITING_EXTERNAL: 3,
    **dict.fromkeys(CLOSED, 4),
}
_PREHEADER: Final = 140
_LABEL: Final = 32  # what is longer before its colon is a sentence
RULE: Final = "—"
"""A paragraph of its own that is drawn as a line across the sheet."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """
    What stands in the mail. ``text`` is the plain form; a line of it that is a key of ``buttons`` becomes a button with
    these words, and ``quotes`` are the paragraphs that somebody else wrote. ``step``: how far the request is, 1 to 4.
    ``rating``: where it can be rated.
    """

    language: Language
    subject: str
    text: str
    municipality: str
    phone: str
    buttons: Mapping[str, str] = field(default_factory=dict)
    quotes: frozenset[str] = frozenset()
    step: int | None = None
    rating: str | None = None
    for_citizen: bool = True


class Layout:
    """
    The checked ``mail.html``.
    """

    def __init__(self, template: Template) -> None:
        self._template = template

    def page(self, sheet: Sheet) -> str:
        """
        The mail. The same sheet always gives the same bytes.
        """
        paragraphs = sheet.text.strip().split("\n\n")
        return self._template.render(
            sheet=sheet,
            paragraphs=[(_kind(part, sheet), part.split("\n")) for part in paragraphs],
            preheader=next((part for part in paragraphs if not part.endswith(",")), "")[:_PREHEADER],
            rule=RULE,
            steps=_STEPS[sheet.language] if sheet.step else (),
        )


def load_layout(folder: Path) -> Layout:
    """
    Read ``mail.html`` and try it. Raises jinja2's ``TemplateError``.
    """
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    layout = Layout(environment.get_template("mail.html"))
    layout.page(Sheet(Language.TR, "-", "-\n\na: b\nc: d", "-", "-", {"-": "-"}, frozenset(), 1, "-"))
    return layout


def step_of(row: Row) -> int | None:
    """
    How far the request is, if the message is about its reader's own.
    """
    if row.facts.status is None or row.saying or row.kind in (FOLLOWED, ESCALATED):
        return None
    return _STEP_OF[row.facts.status]


def _kind(paragraph: str, sheet: Sheet) -> str:
    """
    How a paragraph is set: a quote, a table of "label: value", or as it is.
    """
    if paragraph in sheet.quotes:
        return "quote"
    lines = paragraph.split("\n")
    table = len(lines) > 1 and all(0 < line.find(": ") <= _LABEL and line not in sheet.buttons for line in lines)
    return "table" if table else "plain"
