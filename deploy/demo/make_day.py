"""
Make the demo's day from a file of sample messages: ``python -m deploy.demo.make_day MESSAGES OUT``. Seeded.

Channel shares are those of the real centre's press figures: of 2,323 requests a month 1,152 came by telephone, 600 by
WhatsApp, 212 by e-mail, 211 by web, 106 at the desk, 42 as petitions. The rest is our guess.
"""

import argparse
import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from services.common.contracts.catalogue import catalogue
from services.common.contracts.neighbourhoods import NEIGHBOURHOODS
from services.common.contracts.vocabulary import TRIAGE_SERVICE

SEED: Final = 4445501
Message = dict[str, Any]

# channel: how many a day, and from which sample messages, in this order of preference
CHANNELS: Final[dict[str, tuple[int, tuple[str, ...]]]] = {
    "whatsapp": (88, ("whatsapp",)),
    "walk_in": (16, ("walk_in", "web")),
    "email": (31, ("email",)),
    "petition": (7, ("email",)),
    "web": (30, ("web",)),
    "sms": (4, ("sms",)),
    "open311": (2, ("web",)),
    "cimer": (2, ("web",)),
    "social": (2, ("sms",)),
    "phone": (168, ("phone", "web", "email", "sms")),
}
ANONYMOUS: Final = {"phone": 42, "web": 10, "walk_in": 4, "cimer": 2, "social": 2}
OF_DEPARTMENT: Final = {"zabita": 4.0, "fen-isleri": 3.5, "temizlik-isleri": 3.0, "park-bahceler": 2.0}  # others 1
BY_HOUR: Final = (1, 1, 0.5, 0.5, 0.5, 1, 2, 4, 8, 10, 10, 9, 6, 8, 9, 8, 7, 6, 5, 5, 4, 3, 2, 1.5)
SERVICE_CODES: Final = 175
WRONG_CODES: Final = 9
CODED: Final = {"phone": 3.0, "walk_in": 3.0, "petition": 3.0, "web": 3.0, "open311": 9.0, "cimer": 1.0}  # others 0.3
ANSWERED: Final = 14
LAWS: Final = {
    "bilgi-edinme": "4982",
    "kvkk-basvuru": "kvkk",
}  # services that are applications under a law of their own
TOLD_TWICE: Final = 9  # requests about what a neighbour has reported already
FORGOTTEN: Final = {
    "emergency": (2, 30),
    "petition": (1, 45 * 24),
    "other": (3, 40 * 24),
}  # how many, how many hours ago
WEEKS: Final = 4

FIRST_NAMES: Final = (
    "Ayşe", "Mehmet", "Fatma", "Ali", "Zeynep", "Hasan", "Elif", "Murat", "Hatice", "İbrahim", "Gülsüm", "Şükrü",
    "Çiğdem", "Ömer", "Nurgül", "Yusuf", "Sevgi", "Kâzım", "Dilek", "Uğur", "Emine", "Tuğçe", "Halil", "Perihan",
)  # fmt: skip
LAST_NAMES: Final = (
    "Örnek", "Deneme", "Sınayan", "Kurmaca", "Uydurur", "Örneksoy", "Numune", "Taslak", "Farazi", "Varsayım",
)  # fmt: skip
SOUTH_WEST, NORTH_EAST = (41.255, 36.290), (41.285, 36.335)  # a rectangle on land, inside İlkadım
_TO_ASCII: Final = str.maketrans("çğıöşüâÇĞİÖŞÜ", "cgiosuacgiosu")
ANSWERS: Final = (
    "Bilgi ilk görüşmede verildi.",
    "Başvuru sahibine gerekli belgeler ve çalışma saatleri anlatıldı.",
    "Sorulan konu görüşme sırasında yanıtlandı, ek işlem gerekmedi.",
)


def make_day(messages: Sequence[Message], seed: int = SEED) -> list[dict[str, Any]]:
    """
    The rows of the day file, in order of time. The same messages and seed give the same rows.
    """
    dice = random.Random(seed)
    drawn = _draw(messages, dice)
    coded = _chosen(drawn, SERVICE_CODES, dice, lambda channel, m: _coding_weight(channel, m))
    wrong = set(dice.sample(sorted(coded), WRONG_CODES))
    unknown = {
        index
        for channel, count in ANONYMOUS.items()
        for index in dice.sample([i for i, (c, _) in enumerate(drawn) if c == channel], count)
    }
    questions = [i for i, (c, m) in enumerate(drawn) if c in ("phone", "walk_in") and _is_question(m)]
    answered = set(dice.sample(questions, min(ANSWERED, len(questions)))) - wrong
    rows = []
    for index, (channel, message) in enumerate(drawn):
        body = _body(channel, message, dice, named=index not in unknown)
        if index in coded:
            body["service_code"] = _other_service(message, dice) if index in wrong else message["service"]
        if index in answered:
            body["answered"] = {"text": dice.choice(ANSWERS)}
        hour = dice.choices(range(24), weights=BY_HOUR)[0]
        at = f"{hour:02}:{dice.randrange(60):02}:{dice.randrange(60):02}"
        rows.append({"at": at, "service": message["service"], "body": body})
    rows.sort(key=lambda row: row["at"])
    for number, row in enumerate(rows, start=1):
        row["body"]["external_id"] = f"{row['body']['channel']}-{number:03}"
    _weave(rows, random.Random(f"{seed} woven"))
    return rows


def _weave(rows: list[dict[str, Any]], dice: random.Random) -> None:
    """
    Give some of the rows what makes their life longer: a law, a forgotten while, a need that comes again, a neighbour
    who told of the same before.
    """
    for row in rows:
        if row["service"] in LAWS:
            legal = {"basis": LAWS[row["service"]], "record_no": f"2026/{dice.randint(1000, 9999)}"}
            row["body"].setdefault("legal", {}).update(legal)
        if row["service"] == "vefa-destek" and "alışveriş" in row["body"]["text"]:
            row |= {"service": "vefa-alisveris", "weeks": WEEKS}
        if row["service"].startswith("vefa-") and "service_code" in row["body"]:
            row["body"]["service_code"] = row["service"]  # in a crisis operators know its services
    for kind, (count, hours) in FORGOTTEN.items():
        fit = [row for row in rows if _can_be_forgotten(row, kind)]
        for row in dice.sample(fit, min(count, len(fit))):
            row["hours_ago"] = hours
    pairs = [(row, earlier) for number, row in enumerate(rows) for earlier in rows[:number] if _alike(row, earlier)]
    told: set[str] = set()
    for row, earlier in sorted(pairs, key=lambda pair: -len(_stems(pair[0]) & _stems(pair[1]))):
        if len(told) < TOLD_TWICE and row["service"] not in told:
            told.add(row["service"])
            row["body"]["location"] = {"neighbourhood": earlier["body"]["location"]["neighbourhood"]}


def _can_be_forgotten(row: dict[str, Any], kind: str) -> bool:
    """
    Whether it came to the right department and its time was over so many hours after it came in.
    """
    body, service = row["body"], catalogue().services[row["service"]]
    if body.get("service_code") != row["service"] or "answered" in body or row["service"] in LAWS:
        return False
    if row["service"].startswith("vefa-"):
        return False
    if kind == "petition":
        return "legal" in body
    return "legal" not in body and service.emergency == (kind == "emergency") and service.sla_hours <= 40


def _alike(row: dict[str, Any], earlier: dict[str, Any]) -> bool:
    """
    Whether the row may tell of what the earlier one told, somewhere else than it was first thought to happen.
    """
    places = [one["body"].get("location", {}).get("neighbourhood") for one in (row, earlier)]
    plain = not any({"hours_ago", "weeks"} & set(one) or "answered" in one["body"] for one in (row, earlier))
    same = row["service"] == earlier["service"] and catalogue().services[row["service"]].public
    return same and plain and all(places) and not _named(row["body"]["text"])


def _stems(row: dict[str, Any]) -> set[str]:
    """
    What its words begin with: Turkish inflects at the end.
    """
    return {word[:5] for word in row["body"]["text"].lower().translate(_TO_ASCII).split() if len(word) > 4}


def _draw(messages: Sequence[Message], dice: random.Random) -> list[tuple[str, Message]]:
    """
    Channel and message of each request. No message is used twice; those of busy departments are drawn sooner.
    """
    weight = {m["id"]: dice.random() ** (1 / OF_DEPARTMENT.get(m["department"], 1.0)) for m in messages}
    left = sorted(messages, key=lambda m: weight[m["id"]], reverse=True)
    drawn = []
    for channel, (count, sources) in CHANNELS.items():
        fit = [m for source in sources for m in left if m["channel"] == source and _fits(channel, m)]
        taken = fit[:count]
        if len(taken) < count:
            raise SystemExit(f"not enough sample messages for {channel}: {len(taken)} of {count}")
        drawn += [(channel, message) for message in taken]
        left = [m for m in left if m not in taken]
    return drawn


def _fits(channel: str, message: Message) -> bool:
    """
    Operators note Turkish; nobody signs a petition to say hello.
    """
    if channel in ("phone", "walk_in", "petition", "cimer") and _is_english(message):
        return False
    return channel not in ("petition", "open311", "cimer") or message["service"] != TRIAGE_SERVICE


def _is_english(message: Message) -> bool:
    return bool(re.search(r"\b(the|is|you|what|help me)\b", message["text"], re.IGNORECASE))


def _is_question(message: Message) -> bool:
    service = str(message["service"])
    return service.endswith("-bilgi") or service in ("nikah", "evrak-takip", "kurs-kayit", "spor-tesisi", "riskli-yapi")


def _coding_weight(channel: str, message: Message) -> float:
    return 0.0 if message["service"] == TRIAGE_SERVICE else CODED.get(channel, 0.3)


def _chosen(drawn: Sequence[tuple[str, Message]], count: int, dice: random.Random, weight: Any) -> set[int]:
    odds = {i: weight(channel, message) for i, (channel, message) in enumerate(drawn)}
    lots = {i: dice.random() ** (1 / odd) for i, odd in odds.items() if odd}
    return set(sorted(lots, key=lambda i: lots[i], reverse=True)[:count])


def _other_service(message: Message, dice: random.Random) -> str:
    others = [
        code
        for code, service in catalogue().services.items()
        if service.department != message["department"] and code != TRIAGE_SERVICE
    ]
    return dice.choice(others)


def _body(channel: str, message: Message, dice: random.Random, *, named: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"channel": channel, "text": message["text"]}
    if channel in ("phone", "walk_in", "web", "petition", "cimer"):
        body["kind"] = _kind(message)
    if channel in ("phone", "walk_in"):
        body["entered_by"] = f"operator-{dice.randint(1, 6)}"
    if channel in ("petition", "cimer"):
        basis = "cimer" if channel == "cimer" else "3071"
        body["legal"] = {"basis": basis, "record_no": f"2026/{dice.randint(1000, 9999)}"}
    if channel == "web":
        body["notice_version"] = "web-2026-01"
    if named:
        body["citizen"] = _citizen(channel, message, dice)
    else:
        body["contact"] = "none"
    place = _place(channel, message, dice)
    if place:
        body["location"] = place
    return body


def _kind(message: Message) -> str:
    service = str(message["service"])
    if service == "oneri-tesekkur":
        return "thanks" if re.search(r"teşekkür|thank|sağ ol", message["text"], re.IGNORECASE) else "suggestion"
    if service.endswith("-bilgi"):
        return "information"
    asks = service.endswith(("-talebi", "-yardim", "-destek", "-budama", "-dikim", "-kayit")) or service == "nikah"
    return "request" if asks else "complaint"


def _citizen(channel: str, message: Message, dice: random.Random) -> dict[str, Any]:
    first, last = dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES)
    number = dice.randrange(1000)
    mobile = f"0501 000 {number // 100:02} {number % 100:02}"
    landline = f"0362 000 {number // 100:02} {number % 100:02}"
    mail = f"{first}.{last}{number}".lower().replace("i̇", "i").translate(_TO_ASCII) + "@example.org"
    citizen: dict[str, Any] = {"name": f"{first} {last}"}
    match channel:
        case "whatsapp":
            citizen["whatsapp_id"] = f"90501000{number:04}"
        case "email" | "open311" | "cimer":
            citizen["email"] = mail
        case "sms":
            citizen["phone"] = mobile
        case "social":
            pass  # a name in a public post is no way to reach anybody
        case "web":
            citizen["email"] = mail
            if dice.random() < 0.5:
                citizen["phone"] = mobile
                citizen["notify_via"] = dice.choice(("email", "sms"))
        case _:
            citizen["phone"] = landline if dice.random() < 0.12 else mobile
            if dice.random() < 0.06:
                citizen["notify_via"] = dice.choice(("phone", "none"))
            elif dice.random() < 0.15:
                citizen |= {"email": mail, "notify_via": "email"}
    if _is_english(message):
        citizen["language"] = "en"
    return citizen


def _place(channel: str, message: Message, dice: random.Random) -> dict[str, Any]:
    service = catalogue().services[message["service"]]
    named = _named(message["text"])
    place: dict[str, Any] = {}
    if named and (service.location_required or dice.random() < 0.5):
        place["neighbourhood"] = max(named, key=len)
    elif service.location_required and dice.random() < 0.8:
        place["neighbourhood"] = dice.choice(NEIGHBOURHOODS)
    pinned = {"open311": 1.0, "web": 0.6, "whatsapp": 0.4, "phone": 0.2}.get(channel, 0.1)
    if service.location_required and dice.random() < pinned:
        place["lat"] = round(dice.uniform(SOUTH_WEST[0], NORTH_EAST[0]), 6)
        place["lon"] = round(dice.uniform(SOUTH_WEST[1], NORTH_EAST[1]), 6)
    return place


def _named(text: str) -> list[str]:
    """
    The neighbourhoods that a text names.
    """
    said = text.replace("I", "ı").lower().translate(_TO_ASCII)
    return [n for n in NEIGHBOURHOODS if re.search(rf"\b{n.lower().replace('i̇', 'i').translate(_TO_ASCII)}", said)]


def main() -> None:
    """
    Entry of ``python -m deploy.demo.make_day``.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=Path, help="JSON lines with id, channel, text, service, department")
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    messages = [json.loads(line) for line in arguments.messages.read_text(encoding="utf-8").splitlines()]
    rows = make_day(messages)
    arguments.out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} requests in {arguments.out}")


if __name__ == "__main__":
    main()
