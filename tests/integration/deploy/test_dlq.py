"""
Dead letters on the real broker: junk in, dead letter out, mended, handled; replayed once and not twice.
"""

import json
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from kafka import KafkaProducer

from deploy import dlq
from deploy.stack.stack import Stack
from services.common.contracts.envelope import Record, encode
from services.common.contracts.topics import RECEIVED
from services.common.kit.dead_letters import dead_letter
from services.common.kit.letters import Letter, read
from services.common.kit.worker import Delivery
from tests.builders import meta_of, request
from tests.waiting import eventually

pytestmark = pytest.mark.integration
SECRET = "Zümrüdüanka sokağında çukur"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", stack.env["KAFKA_BOOTSTRAP_SERVERS"])

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dlq", *map(str, arguments)])
        code = dlq.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def produce(stack: Stack) -> Iterator[Callable[[Sequence[Record]], list[int]]]:
    with KafkaProducer(bootstrap_servers=stack.env["KAFKA_BOOTSTRAP_SERVERS"]) as producer:

        def send(records: Sequence[Record]) -> list[int]:
            return [
                producer.send(one.topic, value=one.value, key=one.key, headers=list(one.headers)).get(30).offset
                for one in records
            ]

        yield send


def known(stack: Stack, request_id: str) -> bool:
    path = f"{stack.env['REPORTING_URL']}/v1/requests/{request_id}"
    return httpx.get(path, headers={"X-API-Key": stack.env["API_KEY"]}, timeout=15).is_success


def event(**fields: Any) -> tuple[str, Record]:
    data = request(text=SECRET, **fields)
    return data.request_id, encode(RECEIVED, meta_of(data), data)


def letter_of(stack: Stack, group: str, request_id: str) -> Letter | None:
    letters = read(stack.env["KAFKA_BOOTSTRAP_SERVERS"], group)
    return next((one for one in letters if one.key == request_id.encode()), None)


def dead(record: Record, why: str) -> Record:
    """
    What routing would have written of a record that an older version refused.
    """
    delivery = Delivery(record.topic, 0, 0, record.key, record.value, record.headers)
    return dead_letter("routing.dlq", delivery, ValueError(why))


def test_junk_becomes_a_dead_letter_is_listed_without_its_text_mended_and_handled(
    stack: Stack, run: Run, produce: Any
) -> None:
    request_id, record = event()
    produce([Record(record.topic, record.key, (record.value or b"").replace(b'"web"', b'"pigeon"'), record.headers)])
    letter = eventually(lambda: letter_of(stack, "routing", request_id))
    code, listed, _ = run("list", "routing", "--offsets", letter.offset)
    assert (code, letter.origin in listed.replace("\n", ""), SECRET in listed) == (0, True, False)
    _, shown, warned = run("show", "routing", letter.offset)
    assert SECRET in shown
    assert '"channel": "pigeon"' in shown
    assert "personal data" in warned
    code, _, why = run("mend", "routing", letter.offset, "--set", "channel=dove")
    assert (code, "channel: enum" in why) == (2, True)
    code, said, _ = run("mend", "routing", letter.offset, "--set", "channel=web", "--dry-run")
    assert (code, "would send" in said) == (0, True)
    code, said, why = run("mend", "routing", letter.offset, "--set", "channel=web")
    assert code == 0, why
    assert eventually(lambda: known(stack, request_id))
    code, _, why = run("mend", "routing", letter.offset, "--set", "channel=web")
    assert (code, "already sent back" in why) == (2, True)


def test_a_replay_sends_the_original_once_and_says_so_the_second_time(stack: Stack, run: Run, produce: Any) -> None:
    tag = f"tag-{secrets.token_hex(4)}"
    numbers, records = zip(*(event() for _ in range(3)), strict=True)
    first, _, last = produce([dead(record, f"{tag} of an older version") for record in records])
    code, said, _ = run("replay", "routing", "--reason", tag, "--dry-run")
    assert (code, said.count("the contracts take it"), "3 would be replayed" in said) == (0, 3, True)
    _, said, _ = run("replay", "routing", "--reason", tag, "--max", 1)
    assert f"letter {first} replayed to requests.received" in said
    assert "1 replayed, 2 left by --max 1" in said
    _, said, _ = run("replay", "routing", "--reason", tag)
    assert f"already replayed: 1 ({first})" in said
    assert "2 replayed, 0 left" in said
    assert eventually(lambda: all(known(stack, number) for number in numbers))
    code, said, _ = run("replay", "routing", "--offsets", f"{first}-{last}", "--reason", tag)
    assert (code, "already replayed: 3" in said, "0 replayed, 0 left" in said) == (0, True, True)
    _, listed, _ = run("list", "routing", "--reason", tag)
    assert listed.count("replayed 20") == 3
    _, said, _ = run("replay", "routing", "--reason", tag, "--again", "--offsets", first)
    assert f"letter {first} replayed" in said


def test_a_replay_stops_at_the_first_letter_that_cannot_go_back(run: Run, produce: Any) -> None:
    tag = f"tag-{secrets.token_hex(4)}"
    _, record = event()
    stray = Record("nobody.knows", record.key, record.value, record.headers)
    (_, stray_at, _) = produce([dead(one, tag) for one in (record, stray, record)])
    code, said, why = run("replay", "routing", "--reason", tag)
    assert code == 2
    assert f"letter {stray_at} comes from 'nobody.knows', which is none of our topics" in why
    assert "replayed to" not in said


def test_what_stands_in_a_letter_cannot_command_the_terminal(run: Run, produce: Any) -> None:
    _, record = event()
    value = json.dumps({"text": "\x1b[2J\x9b31m"}, ensure_ascii=False).encode()
    headers = (("x\x1b[2J", b"\x1b[2J"),)
    (place,) = produce([dead(Record(record.topic, record.key, value, headers), "\x1b[2J why")])
    for command in (("show", "routing", place), ("list", "routing", "--offsets", place)):
        _, said, _ = run(*command)
        assert not {"\x1b", "\x9b"} & set(said)


def test_one_is_told_what_is_wrong_with_the_question(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, why = run("show", "routing", 10**9)
    assert (code, "`list routing` shows" in why) == (2, True)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    code, _, why = run("list", "routing")
    assert (code, "no broker answers at 127.0.0.1:9" in why) == (2, True)
