"""
The style guide as an app: every macro with sample data, and routes that fail in each way.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import FastAPI, Request, Response

from services.common.contracts.roles import Role
from services.common.contracts.vocabulary import Channel, Priority, Status
from services.common.kit import http
from services.common.kit.http import Problem
from services.common.kit.people import Person
from services.common.ui.links import Links
from services.common.ui.pages import install_pages

NOW: Final = datetime(2026, 11, 28, 11, 5, tzinfo=UTC)
LINKS: Final = Links(intake="http://127.0.0.1:8000", reporting="http://127.0.0.1:8001")
OPERATOR: Final = Person(
    id="u_0123456789abcdef",
    name="Ayşe Demir",
    roles=frozenset({Role.OPERATOR, Role.DEPARTMENT, Role.MANAGER, Role.ADMIN}),
    departments=frozenset({"zabita", "fen-isleri"}),
    csrf="csrf-of-the-guide",
    expires_at=NOW + timedelta(minutes=15),
)
_SUBJECTS: Final = (
    (
        "Yolda çukur, bozuk asfalt",
        "Kadıköy Mah., Cumhuriyet Cad. 14",
        Status.ASSIGNED,
        Priority.HIGH,
        Channel.PHONE,
        3.2,
    ),
    ("Açık veya kırık rögar kapağı", "Kale Mah., Gazi Cad.", Status.ACCEPTED, Priority.URGENT, Channel.WHATSAPP, -50.0),
    ("Komşu gürültüsü", "Derebahçe Mah.", Status.IN_PROGRESS, Priority.NORMAL, Channel.EMAIL, 30.0),
    (
        "Çöp konteyneri taşması",
        "Liman Mah., 19 Mayıs Bul. 3/B",
        Status.WAITING_CITIZEN,
        Priority.NORMAL,
        Channel.WEB,
        76.0,
    ),
    ("Başıboş hayvan", "Adalet Mah.", Status.SCHEDULED, Priority.LOW, Channel.CIMER, 240.0),
    ("Park aydınlatması yanmıyor", "Bahçelievler Mah.", Status.REOPENED, Priority.NORMAL, Channel.WALK_IN, 0.4),
    ("Kaldırım işgali", "Saitbey Mah., Mecidiye Cad.", Status.RESOLVED, Priority.NORMAL, Channel.PETITION, 18.0),
)


def view() -> dict[str, object]:
    """
    What styleguide.html shows.
    """
    rows = [
        {
            "request_id": f"26BV7K3QZ8T{number}M",
            "subject": subject,
            "place": place,
            "status": status,
            "priority": priority,
            "channel": channel,
            "due": NOW + timedelta(hours=hours),
            "followers": 1234 if number == 1 else number,
            "emergency": number == 1,
        }
        for number, (subject, place, status, priority, channel, hours) in enumerate(_SUBJECTS)
    ]
    history = [
        {
            "at": NOW - timedelta(hours=3),
            "title": "Çözüldü",
            "text": "Çukur kapatıldı.",
            "who": "Fen İşleri",
            "tone": "ok",
        },
        {"at": NOW - timedelta(hours=9), "title": "Not", "text": "Ekip 2 yolda.", "inner": True, "icon": "note"},
        {"at": NOW - timedelta(days=2), "title": "Alındı", "icon": "phone", "tone": "info"},
    ]
    return {"rows": rows, "history": history}


@cache
def guide(person: Person | None = OPERATOR) -> FastAPI:
    """
    The app. ``/`` is the guide, ``/fails/{status}`` fails, ``/breaks`` raises.
    """
    app = FastAPI()

    async def ready() -> dict[str, object]:
        return {"ready": True}

    http.install(app, ready=ready, body_limit=1000)
    pages = install_pages(app, templates=Path(__file__).parent, links=LINKS, now=lambda: NOW)

    @app.get("/")
    async def show(request: Request) -> Response:
        return pages.render(request, "styleguide.html", person, **view())

    @app.post("/")
    async def done(request: Request, flash: str = "Kaydedildi") -> Response:
        await request.body()
        return pages.redirect("/", flash)

    @app.get("/fails/{status}")
    @app.get("/v1/fails/{status}")
    async def fails(status: int) -> Response:
        raise Problem(status, "It fails.", headers={"retry-after": "7"} if status in (429, 503) else None)

    @app.get("/wants")
    async def wants(number: int) -> int:
        return number

    @app.get("/breaks")
    async def breaks() -> Response:
        raise RuntimeError("broken on purpose")

    return app
