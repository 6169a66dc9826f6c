"""
What is thrown at the system: the texts, services and places of the demo's day, drawn with a seed, each body with an
external_id of its own.
"""

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from deploy.demo.day import load_day
from services.common.contracts.envelope import Record
from services.intake.domain import accept_request
from services.intake.schemas import NewRequest


def bodies(count: int, seed: int) -> list[dict[str, Any]]:
    """
    Bodies for ``POST /v1/requests``, of people who want an SMS each. Texts and their order hang on the seed alone; ids
    and telephones are new in every run, so a stack that ran before takes none for a repeat.
    """
    dice, run = random.Random(seed), secrets.token_hex(4)
    day = [line.body for line in load_day() if not line.hours_ago and not line.weeks and "answered" not in line.body]
    first = secrets.randbelow(10_000_000 - count)
    return [
        {key: value for key, value in dice.choice(day).items() if key != "contact"}
        | {
            "external_id": f"bench-{run}-{number}",
            "citizen": {"phone": f"0555{first + number:07d}", "notify_via": "sms"},
        }
        for number in range(count)
    ]


def received_records(count: int, seed: int) -> Iterator[Record]:
    """
    The records that intake would write to requests.received for such bodies.
    """
    secret = secrets.token_bytes(32)
    for body in bodies(count, seed):
        taken = accept_request(
            NewRequest.model_validate(body), adapter="bench", idempotency_key=None, secret=secret, now=datetime.now(UTC)
        )
        yield taken.records[-1]
