"""
How far the workers are behind, for whoever loads them.
"""

import time

import httpx

from deploy.stack.config import HOST, WORKERS
from deploy.stack.stack import Stack


def behind(stack: Stack) -> int:
    """
    Records that the workers have not acknowledged, all together.
    """
    with httpx.Client(timeout=10) as http:
        answers = (http.get(f"http://{HOST}:{stack.config.port(name)}/healthz").json() for name in WORKERS)
        return sum(int(answer.get("lag", 0)) for answer in answers)


def drained(stack: Stack, at_most: float) -> tuple[float, int]:
    """
    Seconds until no worker is behind any more, and how many records still were when ``at_most`` seconds were over.
    """
    began = time.monotonic()
    while True:
        time.sleep(2.2)  # first, for the workers ask for their lag every two seconds
        left, seconds = behind(stack), time.monotonic() - began
        if not left or seconds > at_most:
            return seconds, left
