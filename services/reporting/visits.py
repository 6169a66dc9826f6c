"""
The visit list of a team: where to go first, as data, for Excel, and as a page to print. Pure.

It shows what the citizen wrote and the address, so the api gives it to the department's own keys alone. Names and
telephone numbers are not here: notify owns contacts.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from html import escape
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from services.common.contracts.catalogue import catalogue
from services.common.contracts.crises import crises
from services.common.contracts.ids import grouped
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import STATUS_LABELS, Priority, Status
from services.reporting.projections import ISTANBUL, Document, local_day
from services.reporting.views import Answer, Day, Department, StatusLabel

_ORDER: Final = {priority.value: place for place, priority in enumerate(Priority)}
_PRIORITIES: Final = {"urgent": "İvedi", "high": "Yüksek", "normal": "Normal", "low": "Düşük"}


class Format(StrEnum):
    """
    How the list comes.
    """

    JSON = "json"
    CSV = "csv"
    HTML = "html"


class VisitParameters(BaseModel):
    """
    Whose visits: of a team, of a department, or both. ``day``: only what is planned for that day or earlier; what has
    no plan counts by its due time.
    """

    model_config = ConfigDict(extra="forbid")
    team: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)] | None = Field(
        default=None, description="who of the department goes there", examples=["vefa-2"]
    )
    department: Department | None = Field(default=None, description="must be served by the key; default: all it serves")
    day: Day | None = Field(default=None, description="local day (Europe/Istanbul); default: all that is open")
    format: Format = Field(default=Format.JSON, description="json, csv (for Turkish Excel) or html (to print)")

    def as_query(self) -> dict[str, str]:
        """
        Those that were given, but the format.
        """
        return self.model_dump(mode="json", exclude_none=True, exclude={"format"})


class VisitedService(Answer):
    """
    What was asked for.
    """

    code: str
    tr: str
    en: str


class Visit(Answer):
    """
    A place to go to. ``since``: when the citizen asked, or when this turn (``turn``) of a need that comes again began.
    ``text`` and ``attributes`` are the citizen's own words and answers.
    """

    request_id: str = Field(examples=["7XK29MQ4T3BDM.3"])
    number: str = Field(examples=["7XK2-9MQ4-T3BD-M.3"])
    emergency: bool
    priority: str | None
    status: str
    status_label: StatusLabel
    paused: bool
    department: str | None = Field(examples=["sosyal-destek"])
    team: str | None = Field(examples=["vefa-2"])
    service: VisitedService | None
    neighbourhood: str | None = Field(examples=["Kadıköy"])
    address: str | None = Field(examples=["Lale Sk. 4 D. 2"])
    text: str | None = Field(examples=["Ekmek, süt, makarna"])
    attributes: dict[str, Any]
    due: datetime | None
    planned_for: datetime | None
    since: datetime | None
    turn: int | None


class VisitList(Answer):
    """
    Where to go, in the order to go there: emergencies, then by priority, neighbourhood and address.
    """

    as_of: datetime | None
    filter: dict[str, str] = Field(examples=[{"team": "vefa-2", "day": "2026-11-25"}])
    visits: list[Visit]


def visits_of(documents: Iterable[Document], asked: VisitParameters) -> list[Visit]:
    """
    Those of these open documents that are the team's and for that day (planned for it or earlier, or else due by it),
    in the order to go there.
    """
    last = asked.day.isoformat() if asked.day else "9"
    mine = (one for one in documents if asked.team in (None, one["team"]))
    return sorted(
        (_visit(one) for one in mine if (local_day(one["planned_for"] or one["resolve_by"]) or "") <= last), key=_first
    )


def _visit(document: Document) -> Visit:
    body = document["bodies"].get(document["origin"] or "", {})
    labels = STATUS_LABELS[Status(document["status"])]
    code = document["service_code"]
    service = catalogue().services.get(code or "")
    return Visit(
        request_id=document["request_id"],
        number=grouped(document["request_id"]),
        emergency=document["emergency"],
        priority=document["priority"],
        status=document["status"],
        status_label=StatusLabel(tr=labels.tr, en=labels.en),
        paused=document["paused"],
        department=document["department"],
        team=document["team"],
        service=VisitedService(code=code, tr=service.tr, en=service.en) if service else None,
        neighbourhood=document["neighbourhood"],
        address=body.get("address"),
        text=body.get("text"),
        attributes=json.loads(body.get("attributes") or "{}"),
        due=document["resolve_by"],
        planned_for=document["planned_for"],
        since=document["received_at"],
        turn=document["part"] if body.get("repeats") else None,
    )


def _first(visit: Visit) -> tuple[object, ...]:
    place = (visit.neighbourhood is None, fold(visit.neighbourhood or ""), visit.address is None)
    return not visit.emergency, _ORDER.get(visit.priority or "", len(_ORDER)), *place, _street(visit), visit.number


def _street(visit: Visit) -> list[str | int]:
    """
    An address that sorts as one walks: house 4 before house 12.
    """
    parts = re.split(r"([0-9]{1,9})", fold(visit.address or ""))
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


def _local(moment: datetime | None) -> str:
    return moment.astimezone(ISTANBUL).strftime("%d.%m.%Y %H:%M") if moment else ""


def _answers(visit: Visit) -> str:
    shown = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in visit.attributes.items()
    }
    return "; ".join(f"{name}: {value}" for name, value in shown.items())


COLUMNS: Final = (
    "Sıra", "Numara", "Acil", "Öncelik", "Hizmet", "Service", "Mahalle", "Adres", "Açıklama", "Ek bilgi", "Planlanan",
    "Son tarih", "Geliş", "Kaçıncı kez", "Durum", "Ekip", "Müdürlük",
)  # fmt: skip


def as_csv(found: Sequence[Visit]) -> str:
    """
    The list as Turkish Excel opens it with a double click: UTF-8 with a byte order mark, semicolons (the list separator
    of the Turkish locale), CRLF; local times. A cell that Excel would take for a formula begins with an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for place, visit in enumerate(found, 1):
        cells = (
            str(place),
            visit.number,
            "ACİL" if visit.emergency else "",
            _PRIORITIES.get(visit.priority or "", ""),
            visit.service.tr if visit.service else "",
            visit.service.en if visit.service else "",
            visit.neighbourhood or "",
            visit.address or "",
            visit.text or "",
            _answers(visit),
            _local(visit.planned_for),
            _local(visit.due),
            _local(visit.since),
            str(visit.turn or ""),
            visit.status_label.tr,
            visit.team or "",
            visit.department or "",
        )
        writer.writerow([f"'{cell}" if cell.lstrip()[:1] in tuple("=+-@") else cell for cell in cells])
    return f"\ufeff{out.getvalue()}"


def as_html(found: Sequence[Visit], parameters: VisitParameters, as_of: datetime | None) -> str:
    """
    The list as one page for A4, in Turkish, with a box to tick and room for a note at each visit. No script, no link.
    """
    whose = " · ".join(filter(None, (_team(parameters.team), _department(parameters.department))))
    until = f"{parameters.day:%d.%m.%Y} gününe kadar · " if parameters.day else ""
    facts = f"{until}{len(found)} ziyaret · liste saati {_local(as_of) or 'bilinmiyor'}"
    rows = "".join(_row(place, visit) for place, visit in enumerate(found, 1))
    table = _TABLE.format(rows=rows) if found else "<p>Açık ziyaret yok.</p>"
    return _PAGE.format(style=_STYLE, whose=escape(whose), facts=escape(facts), table=table)


def _team(slug: str | None) -> str:
    known = (crisis.teams.get(slug or "") for crisis in crises().crises.values())
    return next((team.tr for team in known if team), slug or "")


def _department(slug: str | None) -> str:
    return catalogue().departments[slug].tr if slug else ""


def _row(place: int, visit: Visit) -> str:
    what = visit.service.tr if visit.service else "Hizmet belli değil"
    turn = f" ({visit.turn}. kez)" if visit.turn else ""
    mark = '<strong class="now">ACİL</strong> ' if visit.emergency else ""
    urgency = "" if visit.emergency else f'<div class="quiet">{_PRIORITIES.get(visit.priority or "", "")}</div>'
    lines = [line for line in (visit.text, _answers(visit)) if line]
    times = {"Planlanan": visit.planned_for, "Son tarih": visit.due, "Geliş": visit.since}
    when = "".join(f"<div>{name}: {_local(moment)}</div>" for name, moment in times.items() if moment)
    waits = f'<div class="quiet">{escape(visit.status_label.tr)}</div>' if visit.paused else ""
    return _ROW.format(
        place=place,
        where=escape(visit.neighbourhood or "Mahalle belli değil"),
        address=escape(visit.address or "Adres yok"),
        what=f"{mark}{escape(what + turn)}",
        text="".join(f'<div class="words">{escape(line)}</div>' for line in lines),
        when=when + waits,
        number=escape(visit.number),
        urgency=urgency,
    )


_STYLE: Final = """
@page { size: A4; margin: 12mm }
body { font: 10pt/1.35 "Noto Sans", Arial, sans-serif; color: #000; margin: 0 auto; max-width: 190mm }
h1 { font-size: 15pt; margin: 0 } p { margin: 1mm 0 4mm }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
thead { display: table-header-group } tr { break-inside: avoid }
th, td { border: 0.3mm solid #555; padding: 1.5mm; text-align: left; vertical-align: top; overflow-wrap: anywhere }
th { background: #eee } .box { width: 8mm; text-align: center } .note { width: 30mm }
.when { width: 46mm; font-size: 9pt; white-space: nowrap }
.tick { display: inline-block; width: 5mm; height: 5mm; border: 0.4mm solid #000 }
.words { white-space: pre-line } .quiet { color: #444 } .now { border: 0.4mm solid #000; padding: 0 1mm }
.number { font-family: "Noto Sans Mono", monospace; font-size: 9pt }
"""
_PAGE: Final = """<!doctype html>
<html lang="tr">
<head><meta charset="utf-8"><title>Ziyaret listesi</title><style>{style}</style></head>
<body><h1>Ziyaret listesi: {whose}</h1><p>{facts}</p>{table}</body>
</html>
"""
_TABLE: Final = """
<table><thead><tr><th class="box">✓</th><th>Nereye</th><th>Ne için</th><th class="when">Ne zaman</th>
<th class="note">Sonuç, not</th></tr></thead>
<tbody>{rows}</tbody></table>"""
_ROW: Final = """
<tr><td class="box"><span class="tick"></span><br>{place}</td>
<td><strong>{where}</strong><div>{address}</div><div class="number">{number}</div></td>
<td><strong>{what}</strong>{text}</td><td class="when">{when}{urgency}</td><td></td></tr>"""
