"""
``classify``, ``explain`` and ``POST /v1/classify``, with a classifier that knows a few words.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from aiohttp import ClientSession

from services.common.contracts.catalogue import catalogue
from services.common.contracts.clocks import load_calendar
from services.common.contracts.text import fold
from services.common.contracts.vocabulary import Channel, DecidedBy
from services.common.kit.health import Health
from services.common.kit.ops import serve_ops
from services.routing import classify, classify_api, explain
from services.routing.case import Rules
from services.routing.choosing import choose
from services.routing.classifier import Candidate, Model, Opinion
from services.routing.rules_file import read_rules
from services.routing.settings import RoutingSettings
from tests.builders import request

FILE = """
services:
  - {name: gaz, words: [gaz kokusu], service: ext-dogalgaz}
assignments:
  - {name: telefonla, service: yol-cukur, channel: phone, department: zabita, priority: urgent}
"""
SAYS = {
    "çukur": (("yol-cukur", 0.8), ("yol-cokme", 0.1), ("kazi-onarim", 0.05)),
    "kanal": (("ext-su-kanal", 0.9), ("mazgal-tikali", 0.05), ("rogar-kapagi", 0.02)),
    "teşekkür": (("siniflandirilamadi", 0.7), ("hizmet-sikayeti", 0.2), ("bilgi-edinme", 0.05)),
    "eski": (("yerine-baska", 0.9), ("yol-cukur", 0.05), ("gurultu", 0.01)),
    "ilaç": (("vefa-ilac", 0.9), ("evde-bakim", 0.05), ("hasta-nakil", 0.01)),
}
UNSURE = (("gurultu", 0.3), ("komsu-sikayeti", 0.1), ("cop-alinmadi", 0.1))


class FewWords:
    """
    Stands for a trained model.
    """

    version, threshold, alarm = "test-1", 0.5, 0.6
    services = ("yol-cukur", "ext-su-kanal")

    def __init__(self) -> None:
        self.batches: list[int] = []

    def opinions(self, texts: Sequence[str], best: int = 3) -> list[Opinion]:
        self.batches.append(len(texts))
        return [self._opinion(text) for text in texts]

    def _opinion(self, text: str) -> Opinion:
        text = fold(text)
        found = next((said for word, said in SAYS.items() if fold(word) in text), UNSURE)
        known = catalogue().services
        house = known[found[0][0]].department if found[0][0] in known else ""
        sure = sum(chance for code, chance in found if code in known and known[code].department == house)
        return Opinion(tuple(Candidate(*one) for one in found), sure, 0.9 if "kivilcim" in text else 0.01)

    def why(self, text: str, service: str, most: int = 5) -> list[tuple[str, float]]:
        return [("cukur", 1.5), ("buyuk cukur", 0.5)]


@pytest.fixture
def model() -> Model:
    return cast(Model, FewWords())


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(FILE, encoding="utf-8")
    return Rules(read_rules(path, catalogue()), load_calendar(RoutingSettings().calendar_file))


def decided(text: str, rules: Rules, model: Model, channel: Channel | None = None) -> classify.Decision:
    return classify.decide_texts([(text, channel)], rules, model)[0]


def run(rules: Rules, model: Model, *lines: str | bytes) -> tuple[int, list[dict[str, Any]]]:
    out = io.BytesIO()
    raw = b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    code = classify.run(io.BytesIO(raw), out, rules, model)
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_sure_model_decides_and_the_row_is_as_the_design_says(rules: Rules, model: Model) -> None:
    code, rows = run(rules, model, '{"id": "a", "text": "yolda çukur var", "channel": "whatsapp", "label": 1}')
    assert code == 0
    assert rows == [
        {
            "id": "a",
            "service": "yol-cukur",
            "department": "fen-isleri",
            "priority": "high",
            "emergency": False,
            "confidence": 0.8,
            "decided_by": "model",
            "candidates": [
                {"service": "yol-cukur", "department": "fen-isleri", "confidence": 0.8},
                {"service": "yol-cokme", "department": "fen-isleri", "confidence": 0.1},
                {"service": "kazi-onarim", "department": "fen-isleri", "confidence": 0.05},
            ],
        }
    ]


def test_an_unsure_model_abstains_and_offers_its_best_three(rules: Rules, model: Model) -> None:
    row = decided("öyle bir şey", rules, model)
    assert (row.service, row.department, row.by) == ("siniflandirilamadi", "basin-halkla-iliskiler", DecidedBy.MODEL)
    assert [offer.service for offer in row.offers] == ["gurultu", "komsu-sikayeti", "cop-alinmadi"]
    assert row.confidence == pytest.approx(0.7)


def test_sure_that_nothing_is_asked_for_goes_to_the_desk_with_the_models_own_confidence(
    rules: Rules, model: Model
) -> None:
    row = decided("teşekkür ederim", rules, model)
    assert (row.service, row.confidence) == ("siniflandirilamadi", 0.7)


def test_a_rule_comes_before_the_model_and_its_service_before_the_models(rules: Rules, model: Model) -> None:
    row = decided("çukurdan gaz kokusu geliyor", rules, model)
    assert (row.service, row.by, row.rule, row.emergency) == ("ext-dogalgaz", DecidedBy.RULE, "gaz", True)
    assert [offer.service for offer in row.offers] == ["ext-dogalgaz", "yol-cukur", "yol-cokme"]
    chances = [offer.confidence for offer in row.offers]
    assert chances == sorted(chances, reverse=True)
    assert row.confidence == chances[0] == 0.95
    assert sum(chances) <= 1


@pytest.mark.parametrize("text", ["çukurda kıvılcım çıkıyor", "öyle kıvılcım"])
def test_danger_is_urgent_whatever_was_decided(text: str, rules: Rules, model: Model) -> None:
    row = decided(text, rules, model)
    assert (row.emergency, row.priority) == (True, "urgent")


def test_the_channel_counts_for_who_gets_it(rules: Rules, model: Model) -> None:
    by_phone = decided("çukur", rules, model, Channel.PHONE)
    assert (by_phone.department, by_phone.priority) == ("zabita", "urgent")
    assert decided("çukur", rules, model, Channel.SMS).department == "fen-isleri"


def test_a_service_that_the_catalogue_has_no_more_is_not_offered(rules: Rules, model: Model) -> None:
    row = decided("eski", rules, model)
    assert (row.service, [offer.service for offer in row.offers]) == ("siniflandirilamadi", ["yol-cukur", "gurultu"])


def test_a_crisis_service_is_its_everyday_one(rules: Rules, model: Model) -> None:
    row, everyday = decided("ilaç lazım", rules, model), catalogue().services["vefa-ilac"].otherwise
    assert row.service == row.offers[0].service == everyday


@pytest.mark.parametrize(
    "text", ["yolda çukur", "kanal taştı", "çukurda gaz kokusu", "kıvılcım", "hiç", "teşekkür", "ilaç"]
)
@pytest.mark.parametrize("channel", [Channel.PHONE, Channel.WEB])
def test_it_is_what_routing_decides(text: str, channel: Channel, rules: Rules, model: Model) -> None:
    at = datetime(2026, 5, 18, 9, tzinfo=UTC)
    whole = request(text=text, channel=channel, service_code=None, location=None)
    chosen = choose(whole, at, Rules(rules.book, rules.calendar, model=model))
    row = decided(text, rules, model, channel)
    assert (row.service, row.department, row.priority, row.emergency, row.by, row.rule) == (
        chosen.service,
        chosen.department,
        chosen.priority,
        chosen.emergency,
        chosen.by,
        chosen.rule,
    )


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('{"id": 7}', {"id": 7, "error": "line 2: text: is missing"}),
        ('{"id": "x", "text": 5}', {"id": "x", "error": "line 2: text: must be a string"}),
        ('{"text": "çukur"}', {"id": None, "error": "line 2: id: is missing"}),
        ('{"id": true, "text": "a"}', {"id": None, "error": "line 2: id: must be a string or a whole number"}),
        ('{"id": 1.5, "text": "a"}', {"id": None, "error": "line 2: id: must be a string or a whole number"}),
        ("[]", {"id": None, "error": "line 2: is not a JSON object"}),
        ("çukur", {"id": None, "error": "line 2: is not JSON"}),
        ('{"id": 1, "text": "\\ud800"}', {"id": None, "error": "line 2: is not JSON"}),
        (b'{"id": 1, "text": "\xff"}', {"id": None, "error": "line 2: is not JSON"}),
        ("[" * 5000, {"id": None, "error": "line 2: is not JSON"}),
    ],
)
def test_a_bad_line_is_answered_in_its_place_and_the_rest_goes_on(
    line: str | bytes, row: dict[str, object], rules: Rules, model: Model
) -> None:
    good = '{"id": 1, "text": "çukur"}'
    code, rows = run(rules, model, good, line, good)
    assert code == 1
    assert rows[1] == row
    assert [rows[0]["service"], rows[2]["service"]] == ["yol-cukur", "yol-cukur"]


def test_an_unknown_channel_is_told_with_those_there_are(rules: Rules, model: Model) -> None:
    _, [row] = run(rules, model, '{"id": 1, "text": "a", "channel": "fax"}')
    assert row["error"].startswith("line 1: channel: must be one of phone, whatsapp")


def test_empty_lines_are_passed_over_and_an_empty_text_goes_to_the_desk(rules: Rules, model: Model) -> None:
    code, rows = run(rules, model, "", '{"id": 1, "text": ""}', "  ")
    assert (code, [row["service"] for row in rows]) == (0, ["siniflandirilamadi"])
    assert run(rules, model) == (0, [])


def test_batches_are_256_texts_and_the_order_is_kept(rules: Rules, model: Model) -> None:
    _, rows = run(rules, model, *(json.dumps({"id": n, "text": f"çukur {n}"}) for n in range(600)))
    assert [row["id"] for row in rows] == list(range(600))
    assert cast(FewWords, model).batches == [256, 256, 88]


def test_explain_says_what_decided_where_it_is_and_whose_it_is(
    rules: Rules, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "Kadıköy mah. Lale Sokak No: 3 önünde büyük çukur, kıvılcım çıkıyor"
    assert explain.run([text, "--json"], rules, model) == 0
    why = json.loads(capsys.readouterr().out)
    assert (why["service"], why["rule"], why["refer_to"]) == ("yol-cukur", "model test-1+danger", None)
    assert [row["word"] for row in why["words"]] == ["çukur", "büyük çukur"]
    assert [row["word"] for row in why["danger_words"]] == ["kıvılcım"]
    assert [row["name"] for row in why["neighbourhoods"]] == ["Kadıköy"]
    assert [(row["name"], row["number"]) for row in why["streets"]] == [("Lale Sokak", "3")]
    assert explain.run([text], rules, model) == 0
    shown = capsys.readouterr().out
    assert "yol-cukur: Yolda çukur, bozuk asfalt" in shown
    assert "ACİL / EMERGENCY" in shown
    assert "████████████████░░░░ %80" in shown


def test_explain_names_the_rule_and_the_body_to_refer_to(
    rules: Rules, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    explain.run(["apartmanda GAZ KOKUSU var", "--channel", "phone", "--json"], rules, model)
    why = json.loads(capsys.readouterr().out)
    assert (why["decided_by"], why["rule_words"]) == ("rule", [{"rule": "gaz kokusu", "text": "GAZ KOKUSU"}])
    assert why["refer_to"] == "dogalgaz"


def test_a_shared_service_of_ours_is_not_referred(rules: Rules, model: Model) -> None:
    assert catalogue().services["kasis-levha"].refer_to == "sbb"
    assert classify.refer_to(decided("çukur", rules, model), catalogue()) is None


# --- HTTP ---


async def post(rules: Rules, model: Model | None, body: bytes) -> tuple[int, str, dict[str, Any]]:
    health = Health()
    async with (
        serve_ops(health, 0, routes=classify_api.routes(replace(rules, model=model))) as port,
        ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}/v1/classify", data=body) as answer,
    ):
        return answer.status, answer.content_type, await answer.json(content_type=None)


async def test_the_port_answers_what_classify_gives_with_place_and_body(rules: Rules, model: Model) -> None:
    body = json.dumps({"text": "kılıçdede mah 12. sokak no 4 kanal taştı", "channel": "phone"}).encode()
    status, kind, answer = await post(rules, model, body)
    assert (status, kind) == (200, "application/json")
    assert (answer["service"], answer["department"], answer["refer_to"]) == ("ext-su-kanal", "dis-kurum", "saski")
    assert (answer["neighbourhood"], answer["street"]) == ("Kılıçdede", "12. Sokak No: 4")
    assert len(answer["candidates"]) == 3


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 422, "body"),
        (b"[]", 422, "body"),
        (b"{}", 422, "text"),
        (b'{"text": ""}', 422, "text"),
        (b'{"text": " \\u200b\\n"}', 422, "text"),
        (b'{"text": 5}', 422, "text"),
        (json.dumps({"text": "a" * 4_001}).encode(), 422, "text"),
        (b'{"text": "a", "channel": "fax"}', 422, "channel"),
        (b'{"text": "a", "more": 1}', 422, "more"),
        (b" " * 70_000, 413, None),
    ],
)
async def test_an_error_is_a_problem_document_that_names_the_field(
    body: bytes, status: int, field: str | None, rules: Rules, model: Model
) -> None:
    code, kind, answer = await post(rules, model, body)
    assert (code, kind, answer["status"]) == (status, "application/problem+json", status)
    assert [error["field"] for error in answer["errors"]] == ([field] if field else [])


async def test_without_a_model_it_says_so(rules: Rules) -> None:
    status, kind, _ = await post(rules, None, b'{"text": "a"}')
    assert (status, kind) == (503, "application/problem+json")


async def test_4000_characters_are_taken(rules: Rules, model: Model) -> None:
    status, _, _ = await post(rules, model, json.dumps({"text": "ş" * 4_000}).encode())
    assert status == 200
