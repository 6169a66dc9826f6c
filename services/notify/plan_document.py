"""
The table of what is told, as a page for people: ``deploy/telling.md``.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from services.notify.plan_table import Section, Table, TableRow

DOCUMENT: Final = Path(__file__).parents[2] / "deploy" / "telling.md"
GLOSSARY: Final = "## Sözlük / Words"
_INTRODUCTION: Final = """\
<!-- Written by `python -m services.notify plan --table`. Edit services/notify/plan_table.yaml instead. -->
# Kim, neyi, ne zaman, hangi kanaldan duyar / Who hears what, when, on which channel

Aşağıdaki her satır yazılıma karşı denenir: burada yazan olmazsa yazılım yayımlanmaz.

1. Vatandaşa yalnızca bir şey söylendiğinde yazılır; **bir geçiş, bir mesaj**. “Alındı” mesajı birim hemen belliyse
   birimi de söyler.
2. Kanal önce vatandaşın istediğidir; olmazsa sırasıyla WhatsApp, SMS, e-posta. Kanal mesajı veremezse sıradaki denenir.
3. WhatsApp'ta kişi son 24 saatte yazdıysa kendi sözlerimizle (*serbest*), yazmadıysa Meta'nın onayladığı *şablonla*
   yazılır.
4. **21.00–08.00 arasında yazılmaz**; bekleyen mesaj sabah 08.00'de gider. Bir kişiye **günde en çok dört** mesaj;
   beşincisi ertesi gün 09.00'da gider.
5. Bunlar bekletilmez, sayılmaz: acil durumlar, “alındı” mesajı, konuşmadaki sorular, kişinin az önce (15 dakika içinde)
   yaptığının yanıtı.
6. Bekleyenlerin **en yenisi** gider, eskileri düşer. Aynı sabahı bekleyen başvuruların haberi **tek mesajda** gider (en
   çok beş başvuru); yasanın bildirilmesini istedikleri ayrı gider.
7. “DUR” yazana bir şey yazılmaz; yasanın bildirilmesini istedikleri (dilekçe yanıtı, uzayan süre) dışında. Silinen
   kişiye ve merkezin kendi numaralarına hiçbir zaman yazılmaz.
8. Sonuçla birlikte puan istenir; aynı kişiden **haftada en çok bir kez**.
9. Çalışanlara e-postayla, iş ortaklarının sistemlerine webhook ile her saat hemen söylenir.

*In English:* one transition, one message, on the channel that the citizen wishes, else WhatsApp, SMS, mail. Nothing
between 21:00 and 08:00 and at most four messages a day, except for emergencies, “received”, what is said in a
conversation and the answer to what the person just did. Of what waits the newest state goes, and what waits for one
morning about several requests goes in one message. STOP holds for all but what the law wants told. Stars are asked for
once a week at most. Staff and partners' systems hear at once. Every row below is run against the software; its words
stand in English at the end.

Saatler 1 Haziran 2026 Pazartesi gününündür; “ertesi gün” 2 Haziran'dır. `Şablon adları` önizleme sayfasındadır
(notify: `/previews`).
"""
_WHO: Final = {
    "citizen": "vatandaşa",
    "department": "birime",
    "head": "müdüre",
    "deputy_mayor": "başkan yardımcısına",
    "partner": "iş ortağının sistemine",
}
_HOW: Final = {
    "whatsapp/free": "WhatsApp (serbest)",
    "whatsapp/template": "WhatsApp (şablon)",
    "sms": "SMS",
    "email": "e-posta",
    "webhook": "webhook",
}
_WHY: Final = {
    "no_contact": "iletişim bırakmamış",
    "no_address": "adresi yok",
    "not_wanted": "mesaj istemiyor",
    "phone_only": "yalnızca aranabilir; geri arama listesine",
    "erased": "kişi silinmiş",
    "merged": "içinde söylendi:",
    "internal": "iç işleyiş",
    "too_old": "artık geç",
    "contact_missing": "iletişimi 15 dakikada gelmedi",
    "superseded": "yenisi var:",
    "own_address": "merkezin kendi numarası",
    "stopped": "“DUR” yazdı",
}
_UNITS: Final = {"m": "dakika", "h": "saat", "d": "gün"}
_SENT: Final = re.compile(
    r"^(?P<day>\+1 )?(?P<time>[0-9:]+) (?P<who>\w+) (?P<how>\S+) (?P<what>\w+)(?P<stars> \+stars)?(?P<en> in English)?$"
)
_UNSENT: Final = re.compile(r"^(?P<who>\w+) (?P<what>\w+): (failed, )?(?P<why>\w+)( (into|by) (?P<other>\S+))?$")
_COLUMNS: Final = (
    "| Olay / event | Kişi / contact | Öncesi / before | Saat / at | Ne olur / what comes of it |\n"
    "|---|---|---|---|---|\n"
)


def document(table: Table) -> str:
    """
    The page.
    """
    sections = "\n".join(_section(table, section) for section in table.sections)
    count = sum(1 for _ in table.rows())
    return f"{_INTRODUCTION}\n{count} satır / rows.\n\n{sections}\n{GLOSSARY}\n\n{''.join(_glossary(table))}"


def _glossary(table: Table) -> Iterator[str]:
    yield "| Türkçe | English |\n|---|---|\n"
    for named in (*table.events.values(), *table.contacts.values()):
        yield f"| {named.tr} | {named.en} |\n"
    for english, turkish in (*_WHO.items(), *_HOW.items(), *_WHY.items()):
        yield f"| {turkish} | {english.replace('_', ' ')} |\n"


def _section(table: Table, section: Section) -> str:
    rows = "".join(f"| {' | '.join(_cells(table, row))} |\n" for row in section.rows)
    return f"## {section.tr} / {section.en}\n\n{_COLUMNS}{rows}"


def _cells(table: Table, row: TableRow) -> Iterator[str]:
    event = table.events[row.event]
    more = ", ".join(f"`{name}: {_plain(value)}`" for name, value in row.more.items())
    yield f"{event.tr}{f' ({more})' if more else ''}"
    yield table.contacts[row.contact].tr
    yield "; ".join(_circumstances(table, row)) or "–"
    yield row.at
    yield "<br>".join(map(_in_turkish, row.then)) or "kimseye bir şey söylenmez"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _circumstances(table: Table, row: TableRow) -> Iterator[str]:
    for before in row.before:
        name, _, clock = before.partition(" ")
        yield f"{clock.replace('-1 ', 'dün ')} {table.events[name].tr}"
    if row.wrote:
        yield f"{_ago(row.wrote)} önce WhatsApp'tan yazdı"
    if row.told:
        yield f"bugün {row.told} mesaj aldı"
    if row.stopped:
        yield "“DUR” yazmıştı"
    if row.surveyed:
        yield f"{_ago(row.surveyed)} önce puanı soruldu"
    if row.others:
        yield f"{row.others} başka başvurusunda da aynı haber var"


def _ago(ago: str) -> str:
    return f"{ago[:-1]} {_UNITS[ago[-1]]}"


def _in_turkish(text: str) -> str:
    """
    A line of ``then`` in Turkish. Raises ``ValueError`` for one that ``plan.line`` does not write.
    """
    if sent := _SENT.match(text):
        day, stars, english = "ertesi gün " if sent["day"] else "", " + puan" if sent["stars"] else "", ""
        if sent["en"]:
            english = ", İngilizce"
        return f"{day}{sent['time']} {_WHO[sent['who']]} {_HOW[sent['how']]}: `{sent['what']}`{stars}{english}"
    if unsent := _UNSENT.match(text):
        other = f" `{unsent['other']}`" if unsent["other"] else ""
        return f"{_WHO[unsent['who']]} `{unsent['what']}` gitmez: {_WHY[unsent['why']]}{other}"
    raise ValueError(f"not a line of a plan: {text}")
