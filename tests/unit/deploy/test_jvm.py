"""
Kafka's cluster id never reads as an option of the tool that it is given to.
"""

import secrets

import pytest

from deploy.stack import jvm


def test_a_cluster_id_that_begins_with_a_hyphen_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = [b"\xf8" + bytes(15), b"\xfb" + bytes(15), bytes(16)]
    monkeypatch.setattr(secrets, "token_bytes", lambda _n: draws.pop(0))
    assert jvm._cluster_id() == "A" * 22
    assert draws == []
