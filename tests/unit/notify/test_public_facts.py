"""
What partners' systems are told.
"""

from dataclasses import replace
from datetime import UTC, datetime

from services.common.contracts.vocabulary import Language, Outcome, Status
from services.notify.public_facts import data_of
from services.notify.samples import HOUSE, LONGEST, REQUEST, samples
from services.notify.templates import load_templates
from services.notify.transitions import Facts

ROW = replace(samples(LONGEST)["closed_referred"], recipient="partner:komsu-belediye")


def test_a_partner_reads_the_public_facts_and_the_page_that_everybody_sees() -> None:
    assert data_of(HOUSE, REQUEST, ROW) == {
        "type": "request.closed",
        "timestamp": "2026-06-01T09:00:00+00:00",
        "data": {
            "request_id": REQUEST,
            "seq": 6,
            "transition": "closed",
            "status": Status.REFERRED,
            "department": "iklim-sifir-atik",
            "service_code": "vefa-destek",
            "outcome": Outcome.REFERRED,
            "public_text": LONGEST.answer,
            "question": LONGEST.question,
            "emergency": True,
            "day": "2026-09-30T10:30:00+00:00",
            "referred_to": {"body": LONGEST.body, "on": "2026-09-30", "reference": LONGEST.reference},
            "tracking_url": f"https://talep.ilkadim.example/t/{REQUEST}",
        },
    }


def test_what_is_not_known_is_left_out() -> None:
    row = replace(ROW, transition="assigned.2", facts=Facts(Status.ASSIGNED), at=datetime(2026, 6, 1, tzinfo=UTC))
    assert data_of(HOUSE, REQUEST, row)["data"].keys() == {
        "request_id", "seq", "transition", "status", "emergency", "tracking_url",
    }  # fmt: skip


def test_only_a_partners_message_carries_them() -> None:
    texts = load_templates()
    assert texts.render(HOUSE, REQUEST, ROW, Language.TR).data == data_of(HOUSE, REQUEST, ROW)
    assert texts.render(HOUSE, REQUEST, samples(LONGEST)["closed_referred"], Language.TR).data is None
