"""
The classifier: what it sees, that it is repeatable, and what the shipped model makes of texts it has not seen.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.contracts.catalogue import catalogue
from services.common.contracts.text import fold
from services.routing import train
from services.routing.classifier import MODEL, BrokenModel, Model, load_model
from services.routing.features import grams, pairs, tokens

SHIPPED = load_model()
MESSAGES = [
    train.Message(f"{start} {thing} {end}", service, danger, usual=True)
    for start in ("sokakta", "bizim mahallede", "okulun önünde")
    for end in ("var", "yine oldu", "ilgilenir misiniz")
    for thing, service, danger in (
        ("büyük çukur", "yol-cukur", False),
        ("taşmış konteyner", "konteyner-dolu", False),
        ("gaz kokusu", "ext-dogalgaz", True),
    )
]
SERVICES = sorted({message.service for message in MESSAGES})


def small() -> tuple[train.Space, Model, object]:
    known = catalogue()
    space = train.Space([message.text for message in MESSAGES])
    weights, bias = train.fit(space, MESSAGES, SERVICES, known)
    facts = {
        "version": "small",
        "services": SERVICES,
        "departments": [known.services[code].department for code in SERVICES],
        "emergencies": [known.services[code].emergency for code in SERVICES],
        "bias": [float(value) for value in bias],
        "temperature": 0.2,
        "threshold": 0.8,
        "alarm": 0.5,
    }
    return space, Model(facts, space.vocabulary, weights, space.idf), (facts, weights)


def test_a_text_without_turkish_letters_is_the_same_text() -> None:
    said = "ÇÖP konteynırı taştı, ığdır İSTANBUL şuğüöç"
    assert tokens(said) == tokens(fold(said)) == ["cop", "konteyniri", "tasti", "igdir", "istanbul", "suguoc"]


def test_drawn_out_letters_and_numbers_are_one() -> None:
    assert tokens("cooook kötüüü 155 34") == ["cook", "kotuu", "0", "0"]


def test_a_word_gives_its_pieces_with_its_edges_and_itself() -> None:
    assert {"<c", "r>", "cuk", "kur>", "<cukur>"} <= set(grams("cukur"))
    assert list(pairs(["konteynirlar", "doldu", "tasti"])) == ["kontey doldu", "doldu tasti"]


@settings(max_examples=200)
@given(st.lists(st.text(max_size=120), min_size=1, max_size=6))
def test_a_batch_says_of_each_text_what_it_says_alone(texts: list[str]) -> None:
    together = SHIPPED.opinions(texts)
    for text, opinion in zip(texts, together, strict=True):
        (alone,) = SHIPPED.opinions([text])
        assert [one.service for one in alone.candidates] == [one.service for one in opinion.candidates]
        assert alone.danger == pytest.approx(opinion.danger, abs=1e-6)
        assert 0 <= opinion.danger <= 1
        assert opinion.candidates[0].confidence <= opinion.department_confidence + 1e-6 <= 1 + 2e-6


def test_the_model_adds_up_as_it_was_trained() -> None:
    space, model, _ = small()
    texts = ["sokakta gaz kokusu", "çukur taşmış", "", "hiç görülmemiş sözcükler"]
    weights = np.array(model._weights)
    assert np.allclose(model.scores(texts), space.matrix(texts) @ weights + model._bias, atol=1e-4)


def test_a_saved_model_has_the_same_bytes_and_the_same_opinions(tmp_path: Path) -> None:
    for name in ("a", "b"):
        space, model, (facts, weights) = small()  # type: ignore[misc]
        train.save(tmp_path / f"{name}.npz", facts, space.vocabulary, weights, space.idf)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    (written,), (read,) = (
        model.opinions(["gaz kokusu var"]),
        load_model(tmp_path / "a.npz").opinions(["gaz kokusu var"]),
    )
    assert written.candidates[0].service == read.candidates[0].service == "ext-dogalgaz"
    assert written.danger == pytest.approx(read.danger, abs=0.02), "weights are kept as bytes"


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04"])
def test_a_broken_file_is_said_to_be_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(content)
    with pytest.raises(BrokenModel, match=r"model\.npz"):
        load_model(path)


def test_training_data_with_an_unknown_service_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps({"text": "a", "service": "uzay-isleri", "emergency": False}), encoding="utf-8")
    with pytest.raises(train.Broken, match=r"x\.jsonl:1: unknown service 'uzay-isleri'"):
        train.read([path], catalogue())


def test_every_service_has_its_messages_and_no_text_has_two_labels() -> None:
    known = catalogue()
    rows = [json.loads(line) for path in train.DATA.glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
    labels: dict[str, set[str]] = {}
    for row in rows:
        labels.setdefault(row["text"], set()).add(row["service"])
    assert [text for text, found in labels.items() if len(found) > 1] == []
    counts = {code: sum(row["service"] == code for row in rows) for code in known.services}
    assert {code: count for code, count in counts.items() if count < 20} == {}


def test_the_model_file_is_small_and_of_this_catalogue() -> None:
    assert MODEL.stat().st_size < 20_000_000
    assert set(SHIPPED.services) == set(catalogue().services)


def test_the_same_text_gets_the_same_opinion_in_every_process() -> None:
    code = (
        "from services.routing.classifier import load_model; m = load_model(); "
        "print([(o.candidates, o.danger) for o in m.opinions(['Köprünün altında kablo sarkıyor', 'merhaba', 'çöp'])])"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "department"),
    [
        ("Evimizin önündeki yolda kocaman bir delik açıldı, arabalar düşüyor", "fen-isleri"),
        ("uc gundur coplerimizi alan yok her yer poset oldu", "temizlik-isleri"),
        ("Üst komşum gece yarısı halı silkeliyor, tepemize toz yağıyor", "zabita"),
        ("there is a pack of street dogs near the university, students are scared", "veteriner-isleri"),
        ("Annem yatalak, evde temizliğine ve bakımına yardımcı olacak birini arıyoruz", "sosyal-destek"),
        ("Salıncağın zinciri eskimiş, parkta çocuklar binemiyor", "park-bahceler"),
    ],
)
def test_what_people_write_reaches_the_department_that_does_it(text: str, department: str) -> None:
    (opinion,) = SHIPPED.opinions([text])
    assert catalogue().services[opinion.candidates[0].service].department == department


@pytest.mark.parametrize(
    "text",
    [
        "Apartmanda yoğun gaz kokusu var, başımız dönüyor",
        "bina yan yatti her an cokecek icerde insan var",
        "Köpek çocuğu ısırdı, kan içinde kaldı",
        "Adam yerde baygın yatıyor, nefes almıyor",
        "Komşunun evinden kadın çığlıkları geliyor, kocası dövüyor",
    ],
)
def test_danger_to_life_is_heard(text: str) -> None:
    assert SHIPPED.opinions([text])[0].danger >= SHIPPED.alarm


@pytest.mark.parametrize(
    "text", ["Nikâh için gün almak istiyorum", "Parkın çimleri uzamış", "ACİL emlak borcumu öğrenmem lazım"]
)
def test_what_is_no_danger_does_not_ring(text: str) -> None:
    assert SHIPPED.opinions([text])[0].danger < SHIPPED.alarm
