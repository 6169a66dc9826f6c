"""
What our processes say of themselves: /readyz and /metrics of the services and of the workers' loopback ports.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

SECONDS: Final = 2.0
COUNTED: Final = ("parked", "spool_entries", "spool_oldest_seconds", "read_ahead")
"""Gauges without labels that are worth a look."""


@dataclass(frozen=True, slots=True)
class Process:
    """
    One process. ``error``: it does not answer, and how; else ``said`` is its /readyz and ``counts`` are its gauges.
    """

    name: str
    ready: bool
    error: str = ""
    said: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, float] = field(default_factory=dict)

    @property
    def because(self) -> str:
        """
        Why it is not ready, in its own words.
        """
        names = ("stopped_because", "stuck_because", "waits_for", "error")
        return str(next((self.said[name] for name in names if self.said.get(name)), ""))


async def ask(http: httpx.AsyncClient, urls: Mapping[str, str]) -> list[Process]:
    """
    All of them at once, in the order given; one that is silent does not hold up the others.
    """
    return list(await asyncio.gather(*(_one(http, name, url.rstrip("/")) for name, url in urls.items())))


async def _one(http: httpx.AsyncClient, name: str, url: str) -> Process:
    try:
        said, scraped = await asyncio.gather(
            http.get(f"{url}/readyz", timeout=SECONDS), http.get(f"{url}/metrics", timeout=SECONDS)
        )
        body = said.json()
    except httpx.HTTPError as error:
        return Process(name, ready=False, error=type(error).__name__)
    except ValueError:
        return Process(name, ready=False, error=f"HTTP {said.status_code}")
    if not isinstance(body, dict):
        return Process(name, ready=False, error=f"HTTP {said.status_code}")
    return Process(name, ready=said.is_success, said=body, counts=counts(scraped.text if scraped.is_success else ""))


def counts(metrics: str) -> dict[str, float]:
    """
    The gauges worth a look, of what a process gives Prometheus; none of a text that is none of Prometheus's.
    """
    try:
        families = list(text_string_to_metric_families(metrics))
    except ValueError:
        return {}
    return {family.name: family.samples[0].value for family in families if family.name in COUNTED and family.samples}
