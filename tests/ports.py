"""
Where a stack of a test listens.
"""

import os
import secrets

from deploy.stack.stack import taken_ports

FIRST, LAST = 20_000, 32_000  # below the ports that the system gives out by itself


def free_port_base() -> int:
    """
    A hundred ports that nobody uses. Two workers of one run never choose the same ones.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    bases = list(range(FIRST + 100 * int(worker), LAST, 100 * workers))
    start = secrets.randbelow(len(bases))
    for base in bases[start:] + bases[:start]:
        if not taken_ports({str(port): port for port in range(base, base + 100)}):
            return base
    raise AssertionError(f"no hundred free ports between {FIRST} and {LAST}")
