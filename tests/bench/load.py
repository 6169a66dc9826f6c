"""
HTTP load by vegeta, an open-loop tool: it sends when the schedule says so, whether or not earlier answers have come,
so a server that stands still cannot hide the requests that it keeps waiting.

``.cache/vegeta`` is made by ``make bench-tools`` (Go).
"""

import base64
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.stack.config import ROOT

VEGETA: Final = ROOT / ".cache" / "vegeta" / "vegeta"
TIMEOUT_SECONDS: Final = 20


class NoTool(Exception):
    """
    The load tool is not there; the message says how it comes.
    """


@dataclass(frozen=True, slots=True)
class Hit:
    """
    One request: when it was sent (Unix), how long its answer took, the status (0: none came), what was answered.
    """

    at: float
    seconds: float
    status: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Attack:
    """
    Load under way: ``hits`` waits for its end.
    """

    process: "subprocess.Popen[bytes]"
    found: Path

    def hits(self) -> list[Hit]:
        """
        What came of it, in the order in which it was sent. Raises ``subprocess.CalledProcessError``.
        """
        if self.process.wait():
            raise subprocess.CalledProcessError(self.process.returncode, self.process.args)
        encoded = subprocess.run([VEGETA, "encode", "-to=json", str(self.found)], capture_output=True, check=True)
        return sorted(map(_hit, encoded.stdout.splitlines()), key=lambda hit: hit.at)


@contextmanager
def attack(
    url: str,
    bodies: Iterable[Mapping[str, Any]],
    headers: Mapping[str, str],
    *,
    rate: int = 0,
    connections: int = 0,
    seconds: float,
) -> Iterator[Attack]:
    """
    POST the bodies one after another, for so long: ``rate`` a second (open loop), or always ``connections`` under way
    (closed loop). Give at least as many bodies as can be sent. Raises ``NoTool``.
    """
    if not VEGETA.exists():
        raise NoTool(f"no {VEGETA.relative_to(ROOT)}: `make bench-tools` builds it (Go is needed)")
    loop = ["-rate=0", f"-workers={connections}", f"-max-workers={connections}"] if connections else [f"-rate={rate}/s"]
    with tempfile.TemporaryDirectory(prefix="ilkim-load-") as folder:
        targets, found = Path(folder, "targets"), Path(folder, "found")
        targets.write_bytes(b"".join(_target(url, body, headers) + b"\n" for body in bodies))  # a last line has its end
        command = [VEGETA, "attack", "-format=json", "-lazy", f"-targets={targets}", f"-output={found}", *loop]
        command += [f"-duration={seconds}s", f"-timeout={TIMEOUT_SECONDS}s"]
        process = subprocess.Popen(command)
        try:
            yield Attack(process, found)
        finally:
            process.terminate()
            process.wait()


def fire(url: str, bodies: Iterable[Mapping[str, Any]], headers: Mapping[str, str], **how: Any) -> list[Hit]:
    """
    ``attack``, and wait for its end.
    """
    with attack(url, bodies, headers, **how) as under_way:
        return under_way.hits()


def _target(url: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    return orjson.dumps(
        {
            "method": "POST",
            "url": url,
            "header": {"Content-Type": ["application/json"]} | {name: [value] for name, value in headers.items()},
            "body": base64.b64encode(orjson.dumps(body)).decode(),
        }
    )


def _hit(line: bytes) -> Hit:
    row = orjson.loads(line)
    at = datetime.fromisoformat(row["timestamp"]).timestamp()
    return Hit(at, row["latency"] / 1e9, row["code"], base64.b64decode(row["body"] or ""))
