"""
What clients asked and were told, and which faults were done when: one JSON object a line, for whoever wants to look
into a run. Numbers of requests and of posts stand in it, nothing that a citizen gave.
"""

import json
import time
from pathlib import Path
from typing import Any


class History:
    """
    A file that grows during a run; ``at`` counts seconds since it was begun.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("w")
        self._began = time.monotonic()

    def note(self, what: str, **more: Any) -> None:
        """
        One line.
        """
        line = {"at": round(time.monotonic() - self._began, 3), "what": what, **more}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """
        Write what is not written yet.
        """
        self._file.close()
