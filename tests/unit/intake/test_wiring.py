"""
The scopes that a key can have.
"""

from services.intake.keys import SCOPES


def test_every_scope_that_a_service_asks_for_can_be_given() -> None:
    assert {"requests:write", "updates:write", "reports:read", "texts:read", "contacts:read"} <= set(SCOPES)
