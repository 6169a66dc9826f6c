"""
``python -m services.intake.attachments.decoder``: look at one file and end. The file comes on standard input; on
standard output go one line of JSON, the public copy and the thumbnail.

It is a process of its own so that a file made to break a decoder breaks nothing else: it has no secret, no connection,
no file it could write, and bounded memory and time.
"""

import json
import resource
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from services.intake.attachments import pdf, pictures
from services.intake.attachments.kinds import MAX_BYTES, Unfit, kind_of

MEMORY_BYTES: Final = 768 * 1_048_576
CPU_SECONDS: Final = 15


def _bound() -> None:
    with suppress(OSError):  # where memory is short after all, this process is to go first
        Path("/proc/self/oom_score_adj").write_text("1000")
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def look(raw: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """
    What is told of a file, and its copies (empty for a PDF and for what is not taken).
    """
    try:
        kind = kind_of(raw)
        if not kind.picture:
            pdf.check(raw)
            return {"media_type": kind.value}, b"", b""
        picture = pictures.prepare(raw, kind)
    except Unfit as error:
        return {"unfit": str(error)}, b"", b""
    told = {
        "media_type": kind.value,
        "width": picture.width,
        "height": picture.height,
        "taken_at": picture.taken_at.isoformat() if picture.taken_at else None,
        "position": picture.position,
    }
    return told, picture.public, picture.thumb


def _peak_kib() -> int:
    """
    The most memory this process had; 0 where the system does not tell. (``ru_maxrss`` tells that of its parent too.)
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return 0
    return int(status.partition("VmHWM:")[2].split()[0])


def main() -> None:
    """
    Look at standard input.
    """
    _bound()
    told, public, thumb = look(sys.stdin.buffer.read(MAX_BYTES + 1))
    told |= {
        "public": len(public),
        "thumb": len(thumb),
        "peak_kib": _peak_kib(),
    }
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + public + thumb)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
