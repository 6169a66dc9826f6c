"""
What fills the templates: the facts of a message in the reader's language.
"""

from typing import Final

from services.common.contracts.ids import grouped
from services.common.contracts.vocabulary import Clock, Language, Level, NotifyVia
from services.notify.catalogue_names import department_name, service_name
from services.notify.domain import Row
from services.notify.messages import House
from services.notify.offers import how_to_choose
from services.notify.times import ISTANBUL, day_in_words, late_in_words, time_in_words
from services.notify.transitions import EXTENDED, Facts

_URGENT: Final = {Language.TR: "ACİL", Language.EN: "URGENT"}
_DANGER: Final = {
    Language.TR: "Can güvenliğiniz tehlikedeyse hemen 112'yi arayın; gaz kokusunda 187.",
    Language.EN: "If anybody's life is in danger call 112 at once; if you smell gas, 187.",
}
_ROLES: Final = {
    Language.TR: {
        Level.DEPARTMENT: "ilgilenen birim",
        Level.HEAD: "birim müdürü",
        Level.DEPUTY_MAYOR: "birimin bağlı olduğu başkan yardımcısı",
    },
    Language.EN: {
        Level.DEPARTMENT: "the department in charge",
        Level.HEAD: "the head of the department",
        Level.DEPUTY_MAYOR: "the deputy mayor above the department",
    },
}
_DETAILS: Final = {Language.TR: "Ayrıntılar", Language.EN: "Details"}
_RATE: Final = {Language.TR: "Ayrıntılar ve puanınız", Language.EN: "Details and your rating"}
_ABROAD: Final = {
    Language.TR: "WhatsApp iletileri Meta'nın yurt dışındaki sunucularından geçer.",
    Language.EN: "WhatsApp messages pass through servers of Meta abroad.",
}
RATING: Final = "#puan"
"""Where on the page of a request it can be rated."""
_REFERENCE: Final = {Language.TR: "sayı", Language.EN: "ref."}


def _other_body(facts: Facts, language: Language) -> str:
    """
    ``SASKİ (1 Haziran 2026 Pazartesi, sayı 2026/4411)``, as far as it is known.
    """
    known = [
        day_in_words(facts.written_on, language) if facts.written_on else "",
        f"{_REFERENCE[language]} {facts.reference}" if facts.reference else "",
    ]
    more = ", ".join(filter(None, known))
    return f"{facts.body or ''} ({more})" if more else facts.body or ""


def words_of(house: House, request_id: str, row: Row, language: Language) -> dict[str, str]:
    """
    The value of every placeholder; what the row knows nothing of is empty.
    """
    facts = row.facts
    whole_days = row.kind == EXTENDED or facts.clock is Clock.LEGAL  # the law counts days
    day = facts.day.astimezone(ISTANBUL) if facts.day else None
    number = row.about if row.saying else request_id
    numbers = [request_id, *(one.request_id for one in row.carries)]
    url = house.link(number, row) if number else ""
    return {
        "number": grouped(number) if number else "",
        "url": f"{url}{RATING}" if row.survey else url,
        "municipality": house.names[language],
        "phone": house.phone,
        "department": department_name(facts.department or "", language),
        "service": service_name(facts.service_code or "", language),
        "neighbourhood": facts.neighbourhood or "",
        "since": time_in_words(facts.since, language) if facts.since else "",
        "day": "" if day is None else (day_in_words(day, language) if whole_days else time_in_words(day, language)),
        "late": late_in_words(facts.day, row.at, language),
        "urgent": _URGENT[language] if facts.emergency else "",
        "advice": _DANGER[language] if facts.emergency else "",
        "role": _ROLES[language][facts.level] if facts.level else "",
        "body": _other_body(facts, language),
        "details": (_RATE if row.survey else _DETAILS)[language],
        "notice": house.notice,
        "abroad": _ABROAD[language] if row.channel is NotifyVia.WHATSAPP else "",
        "options": how_to_choose(row, language),
        "count": str(len(numbers)),
        "list": ", ".join(map(grouped, numbers)),
        "question": (facts.question or "").strip()[:4_000],
        "answer": (facts.answer or "").strip()[:4_000],
    }


def one_line(text: str) -> str:
    """
    The text without line breaks and double blanks.
    """
    return " ".join(text.split())
