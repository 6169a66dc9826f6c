"""
Two Turkish SMS gateways, NetGSM and İletimerkezi, as their documentation has them: send, report, inbox.
"""

import itertools
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.standins.faults import Fault, Faults
from tests.standins.running import serving

USER, PASSWORD = "8501112233", "stand-in"  # NetGSM's sub-user; İletimerkezi's key and hash
SENDER = "ILKADIM"


@dataclass
class Texted:
    """
    An SMS that a gateway has taken over. ``status``: NetGSM's number of its delivery (0 pending, 1 delivered …);
    İletimerkezi says the same in its own numbers. Set it to what the report shall say.
    """

    id: str
    number: str
    text: str
    body: dict[str, Any]
    status: int = 1


@dataclass
class StandInSms:
    """
    Both gateways at one address. A script's or a chance's number is the error code that the gateway answers with.
    """

    url: str = ""
    faults: Faults = field(default_factory=Faults)
    status: int = 1  # what becomes of the next messages
    texted: list[Texted] = field(default_factory=list)
    inbox: list[dict[str, str]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    reports_asked: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def to(self, number: str) -> list[str]:
        """
        What this number (ten digits) reads, in its order.
        """
        return [texted.text for texted in self.texted if texted.number == number]

    def text_in(self, sender: str, message: str, at: str = "28112026212600") -> None:
        """
        Somebody writes; ``at`` is NetGSM's ddMMyyyyHHmmss.
        """
        self.inbox.append({"message": message, "sender": sender, "receiver": "8501112233", "datetime": at})

    def _take(self, number: str, text: str, body: dict[str, Any]) -> Texted:
        texted = Texted(str(312891000 + next(self._numbers)), number, text, body, self.status)
        self.texted.append(texted)
        return texted

    # --- NetGSM: errors come with 406 ---

    async def _netgsm_send(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if not _authorized(request):
            return _netgsm("30", "Geçersiz kullanıcı adı, şifre")
        if body.get("msgheader") != SENDER:
            return _netgsm("40", "Mesaj başlığı tanımlı değil")
        (message,) = body["messages"]
        if not re.fullmatch("[0-9]{10}", message["no"]) or not message["msg"]:
            return _netgsm("70", "Hatalı sorgulama")
        fault = self.faults.next()
        if (answer := _misbehaving(fault)) is not None:
            return answer
        if not isinstance(fault, Fault):
            return _netgsm(f"{fault:02d}", "error")
        texted = self._take(message["no"], message["msg"], body)
        await self.faults.answering(fault, request)
        return web.json_response({"code": "00", "jobid": texted.id, "description": "queued"})

    async def _netgsm_report(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.reports_asked += 1
        if not _authorized(request):
            return _netgsm("30", "Geçersiz kullanıcı adı, şifre")
        jobs = [_job(texted) for texted in self.texted if texted.id in body["jobids"]]
        if not jobs:
            return _netgsm("60", "Kayıt bulunamadı")
        size, page = body.get("pagesize", 100), body.get("pagenumber", 0)
        return web.json_response(
            {"code": "00", "description": "success", "jobs": jobs[page * size : (page + 1) * size]}
        )

    async def _netgsm_inbox(self, request: web.Request) -> web.StreamResponse:
        if not _authorized(request):
            return _netgsm("30", "Geçersiz kullanıcı adı, şifre")
        start, stop = request.query.get("startdate"), request.query.get("stopdate")
        if any(given is not None and not re.fullmatch("[0-9]{14}", given) for given in (start, stop)):
            return _netgsm("70", "Hatalı sorgulama")
        if start and stop:
            found = [m for m in self.inbox if _sortable(start) <= _sortable(m["datetime"]) <= _sortable(stop)]
        else:  # without dates each is listed once
            found, self.inbox = self.inbox, []
        if not found:
            return _netgsm("40", "Gösterilecek mesaj yok")
        return web.json_response({"code": "00", "description": "success", "messages": found})

    # --- İletimerkezi: HTTP's status is that of the body ---

    async def _merkez_send(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["request"]
        self.asked.append(asked)
        if asked.get("authentication") != {"key": USER, "hash": PASSWORD}:
            return _merkez(401, "Üyelik bilgileri hatalı")
        order = asked["order"]
        if order.get("sender") != SENDER:
            return _merkez(450, "Gönderilen başlık kullanıma uygun değil")
        if order.get("iys") not in ("0", "1"):
            return _merkez(468, "İYS sorgusu yapılandırılmalı")
        (number,) = order["message"]["receipents"]["number"]
        if not re.fullmatch(r"(\+?90)?5[0-9]{9}", number):
            return _merkez(452, "Mesaj alıcıları hatalı")
        fault = self.faults.next()
        if (answer := _misbehaving(fault)) is not None:
            return answer
        if not isinstance(fault, Fault):
            return _merkez(fault, "hata")
        text = order["message"]["text"]
        if any((texted.number, texted.text) == (number[-10:], text) for texted in self.texted):
            return _merkez(451, "Tekrar eden sipariş")
        texted = self._take(number[-10:], text, asked)
        await self.faults.answering(fault, request)
        return _merkez(200, "İşlem başarılı", order={"id": texted.id})

    async def _merkez_report(self, request: web.Request) -> web.StreamResponse:
        asked = (await request.json())["request"]
        self.reports_asked += 1
        if asked.get("authentication") != {"key": USER, "hash": PASSWORD}:
            return _merkez(401, "Üyelik bilgileri hatalı")
        found = [texted for texted in self.texted if texted.id == asked["order"]["id"]]
        if not found:
            return _merkez(455, "Sipariş bulunamadı")
        status = {0: 110, 1: 111}.get(found[0].status, 112)
        order = {
            "id": found[0].id,
            "status": 113 if status == 110 else 114,
            "total": 1,
            "delivered": int(status == 111),
            "undelivered": int(status == 112),
            "waiting": int(status == 110),
            "message": [{"number": f"+90{found[0].number}", "status": status}],
        }
        return _merkez(200, "İşlem başarılı", order=order)


def _misbehaving(fault: Fault | int) -> web.Response | None:
    """
    The answer, if a message is not even looked at.
    """
    if fault not in (Fault.AWAY, Fault.BROKEN):
        return None
    status = 503 if fault is Fault.AWAY else 500
    return web.Response(status=status, text="<html>Hata</html>", content_type="text/html")


def _authorized(request: web.Request) -> bool:
    wanted = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return request.headers.get("Authorization") == wanted


def _netgsm(code: str, description: str) -> web.Response:
    return web.json_response({"code": code, "description": description, "jobs": None}, status=406)


def _merkez(code: int, message: str, **more: Any) -> web.Response:
    return web.json_response({"response": {"status": {"code": code, "message": message}, **more}}, status=code)


def _job(texted: Texted) -> dict[str, Any]:
    return {
        "jobid": texted.id,
        "number": f"90{texted.number}",
        "status": texted.status,
        "operator": 30,
        "msglen": 1,
        "deliveredDate": "28.11.2026 21:26:00",
        "errorCode": 0,
    }


def _sortable(date: str) -> str:
    return date[4:8] + date[2:4] + date[:2] + date[8:]


@asynccontextmanager
async def stand_in_sms() -> AsyncIterator[StandInSms]:
    """
    Both gateways, running at one URL.
    """
    sms = StandInSms()
    app = web.Application()
    app.add_routes(
        [
            web.post("/sms/rest/v2/send", sms._netgsm_send),
            web.post("/sms/rest/v2/report", sms._netgsm_report),
            web.get("/sms/rest/v2/inbox", sms._netgsm_inbox),
            web.post("/v1/send-sms/json", sms._merkez_send),
            web.post("/v1/get-report/json", sms._merkez_report),
        ]
    )
    async with serving(app) as url:
        sms.url = url
        yield sms
