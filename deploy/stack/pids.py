"""
Keeps ``.run/pids/<process>`` true: the one pid that serves now, also after a restart; no file while none does.

A supervisord event listener: supervisord starts it and tells it each change of state on standard input. It counts
restarts too, and starts afresh what supervisord gave up on.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from supervisor import childutils


class PidFiles:
    """
    The pid files and the count of restarts of one run folder. Every write is atomic.
    """

    def __init__(self, run_dir: Path) -> None:
        self._pids = run_dir / "pids"
        self._restarts = run_dir / "restarts.json"
        self._pids.mkdir(exist_ok=True, mode=0o700)

    def serving(self, name: str, pid: int) -> None:
        """
        This process serves now.
        """
        self._write(self._pids / name, f"{pid}\n")

    def gone(self, name: str) -> None:
        """
        Nobody serves under this name.
        """
        (self._pids / name).unlink(missing_ok=True)

    def died(self, name: str) -> None:
        """
        The process ended without being asked to.
        """
        self.gone(name)
        counts = self.restarts()
        self._write(self._restarts, json.dumps({**counts, name: counts.get(name, 0) + 1}))

    def restarts(self) -> dict[str, int]:
        """
        How often each process has died since the stack came up.
        """
        try:
            counts: dict[str, int] = json.loads(self._restarts.read_text())
        except FileNotFoundError:
            return {}
        return counts

    @staticmethod
    def _write(path: Path, text: str) -> None:
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_text(text)
        unfinished.replace(path)


def handle(files: PidFiles, event: str, details: dict[str, str], supervisor: Any) -> None:
    """
    Act on one change of state of one process.
    """
    name = details["processname"]
    match event:
        case "PROCESS_STATE_STARTING":  # is told before the fork, so the pid is asked for; RUNNING comes seconds later
            pid = supervisor.getProcessInfo(name)["pid"]
            if pid:
                files.serving(name, pid)
        case "PROCESS_STATE_RUNNING":
            files.serving(name, int(details["pid"]))
        case "PROCESS_STATE_EXITED" | "PROCESS_STATE_BACKOFF":
            files.died(name)
        case "PROCESS_STATE_FATAL":
            files.gone(name)
            supervisor.startProcess(name, False)
        case "PROCESS_STATE_STOPPED":
            files.gone(name)


def main() -> None:
    """
    Entry for supervisord alone: standard input and output carry its protocol.
    """
    files = PidFiles(Path(sys.argv[1]))
    supervisor = childutils.getRPCInterface(os.environ).supervisor
    for process in supervisor.getAllProcessInfo():  # what happened while this listener was not there
        if process["name"] == "pids":
            continue
        if process["statename"] == "RUNNING":
            files.serving(process["name"], process["pid"])
        else:
            files.gone(process["name"])
    while True:
        headers, payload = childutils.listener.wait()
        details = childutils.get_headers(payload)
        if details["processname"] != "pids":
            handle(files, headers["eventname"], details, supervisor)
        childutils.listener.ok()


if __name__ == "__main__":
    main()
