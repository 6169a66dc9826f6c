"""
Start a service from a folder of code that may be another commit's, with a clock that can be stepped while it runs.

``python launch.py <folder> <file> <module> [arguments]``. The file holds by how many seconds the clock goes wrong;
while it is not there the clock is right. Stepped is what our code reads (``services.common.kit.clock``), not what its
libraries do: those take time-outs from the monotonic clock.
"""

import os
import runpy
import sys
from datetime import datetime, timedelta
from pathlib import Path


def step(file: Path) -> None:
    """
    Let ``system_clock`` go wrong. Before anything of ours has imported it.
    """
    from services.common.kit import clock

    right = clock.system_clock

    def stepped() -> datetime:
        try:
            return right() + timedelta(seconds=float(file.read_text()))
        except FileNotFoundError:
            return right()

    clock.system_clock = stepped


def main() -> None:
    """
    Become the service.
    """
    folder, file, module, *arguments = sys.argv[1:]
    os.chdir(folder)
    sys.path[0] = str(Path.cwd())
    step(Path(file))
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
