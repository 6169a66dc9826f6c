"""
Does what ``docker build`` would do with deploy/Dockerfile, in a plain folder and without an engine.

``python -m deploy.docker_steps FOLDER`` executes the steps one by one and then imports every module from what came out.
Each stage is a folder; a path of the image is that path below it. What this cannot show: the base image itself, users,
and that nothing else of this machine is used by accident (the standard library is this machine's).
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
OURS: Final = re.compile(r"(?<![\w./-])/(?=(?:app|build|data|opt|tmp)(?:/|\b))")  # the image's folders that we make
FROM_THE_CALLER: Final = re.compile(r"PIP_|SSL_|REQUESTS_|(https?|no|all)_proxy$", re.IGNORECASE)  # to reach an index
NOTED: Final = ("LABEL", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD", "USER")
IMPORT_ALL: Final = """
import importlib, pkgutil, deploy, services
names = [m.name for p in (services, deploy) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".")]
for name in names: importlib.import_module(name)
print(len(names), "modules imported")
"""


class StepError(Exception):
    """
    A step cannot be done or failed; the message is the step and what it printed.
    """


@dataclass(frozen=True, slots=True)
class Step:
    """
    One instruction of a Dockerfile, its continued lines joined.
    """

    instruction: str
    rest: str

    def __str__(self) -> str:
        return f"{self.instruction} {self.rest}"


@dataclass
class Stage:
    """
    A stage after its steps: where its files are, what its processes get, and what it only notes (USER, CMD, …).
    """

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    notes: dict[str, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        """
        Where a path of the image stands.
        """
        joined = inside if inside.startswith("/") else f"{self.workdir.rstrip('/')}/{inside}"
        return Path(f"{self.root}{joined}")

    def mapped(self, text: str) -> str:
        """
        The same text with each path of the image replaced by where it stands.
        """
        return OURS.sub(f"{self.root}/", text)

    def run(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """
        Start a process as the image would: its environment and nothing of the caller's, its working directory.
        """
        wanted = {**self.env, **(env or {})}
        full = {name: self.mapped(value) for name, value in wanted.items()}
        full["PATH"] = f"{full.get('PATH', '')}:{self.root.parent / 'bin'}:/usr/bin:/bin".strip(":")
        program = shutil.which(command[0], path=full["PATH"])
        if program is None:
            raise StepError(f"{command[0]} is not in the image")
        return subprocess.Popen(
            [program, *command[1:]],
            env=full,
            cwd=self.path(self.workdir),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def parse(text: str) -> list[Step]:
    """
    The instructions of a Dockerfile in order, without comments.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    parts = (line.strip().partition(" ") for line in joined.splitlines())
    return [Step(instruction.upper(), rest) for instruction, _, rest in parts]


def ignored(text: str) -> Callable[[str], bool]:
    """
    Does a .dockerignore leave out this path (relative to the context)? The last line that fits decides.
    """
    rules = []
    for line in (line.strip() for line in text.splitlines()):
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!").strip("/")
            escaped = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
            rules.append((re.compile(f"{escaped}(?:/.*)?"), not line.startswith("!")))

    def decide(path: str) -> bool:
        out = False
        for pattern, leaves_out in rules:
            if pattern.fullmatch(path):
                out = leaves_out
        return out

    return decide


def context(folder: Path) -> Iterator[str]:
    """
    The files that enter the build, relative to the folder.
    """
    leave_out = ignored((folder / ".dockerignore").read_text())
    for top in sorted({line.lstrip("!").split("/")[0] for line in _readmitted(folder)}):
        place = folder / top
        for path in [place] if place.is_file() else sorted(place.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and not leave_out(name):
                yield name


def _readmitted(folder: Path) -> list[str]:
    lines = (folder / ".dockerignore").read_text().splitlines()
    if "*" not in lines:
        raise StepError(".dockerignore must begin with `*`: only what it readmits is walked")
    return [line for line in lines if line.startswith("!")]


class Build:
    """
    Executes steps; every stage gets a folder below ``work``, which must be empty.
    """

    def __init__(self, work: Path, source: Path = ROOT) -> None:
        self._work, self._source = work.absolute(), source
        self._args: dict[str, str] = {}
        self._stages: dict[str, Stage] = {}
        self._now: Stage | None = None
        self._prepare()

    def _prepare(self) -> None:
        if self._work.exists() and any(self._work.iterdir()):
            raise StepError(f"{self._work} is not empty")
        (self._work / "bin").mkdir(parents=True)
        python = self._work / "bin" / "python"  # stands for the base image's
        base = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        python.write_text(f'#!/bin/sh\nexec {base} "$@"\n')
        python.chmod(0o755)

    @property
    def stage(self) -> Stage:
        """
        The stage that is being built; after the last step: the image.
        """
        if self._now is None:
            raise StepError("the Dockerfile must begin with FROM")
        return self._now

    def do(self, step: Step) -> None:
        """
        Execute one step. Raises ``StepError`` if it fails or is of a kind that is not known here.
        """
        match step.instruction:
            case "ARG" if self._now is None:
                name, _, value = step.rest.partition("=")
                self._args[name] = value
            case "FROM":
                self._from(step)
            case "ENV":
                self.stage.env |= dict(pair.split("=", 1) for pair in shlex.split(step.rest))
            case "WORKDIR":
                self.stage.workdir = step.rest
                self.stage.path(step.rest).mkdir(parents=True, exist_ok=True)
            case "COPY":
                self._copy(step)
            case "RUN":
                self._run(step)
            case instruction if instruction in NOTED:
                self.stage.notes[instruction] = step.rest
            case _:
                raise StepError(f"{step}: not known here; write it so that it can be executed without an engine")

    def _from(self, step: Step) -> None:
        words = step.rest.split()
        name = words[2] if len(words) == 3 else str(len(self._stages))
        root = self._work / name
        (root / "tmp").mkdir(parents=True)
        self._now = self._stages[name] = Stage(root)

    def _run(self, step: Step) -> None:
        caller = {name: value for name, value in os.environ.items() if FROM_THE_CALLER.match(name)}
        home = {"HOME": os.environ.get("HOME", "/tmp")}  # noqa: S108 - pip's settings and cache are there
        self.stage.env.pop("PIP_NO_CACHE_DIR", None)  # right for an image, slow here
        process = self.stage.run(("sh", "-ec", self.stage.mapped(step.rest)), caller | home)
        printed, _ = process.communicate()
        if process.returncode:
            raise StepError(f"{step}: exit code {process.returncode}\n{printed[-3000:]}")

    def _copy(self, step: Step) -> None:
        words = shlex.split(step.rest)
        options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
        *sources, target = (word for word in words if not word.startswith("--"))
        for source in sources:
            found = list(self._files(source, options.get("from")))
            if not found:
                raise StepError(f"{step}: there is no {source} (or .dockerignore leaves it out)")
            for path, name in found:
                place = self.stage.path(target) if name is None else self.stage.path(f"{target.rstrip('/')}/{name}")
                place.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir() and not path.is_symlink():
                    place.mkdir(exist_ok=True)
                else:
                    shutil.copy2(path, place, follow_symlinks=False)

    def _files(self, source: str, stage: str | None) -> Iterator[tuple[Path, str | None]]:
        """
        What a source names: each file with its name below the target; None where the target is the file's own name.
        """
        if stage is None:
            for name in context(self._source):
                if name == source:
                    yield self._source / name, Path(name).name
                elif name.startswith(f"{source}/"):
                    yield self._source / name, name.removeprefix(f"{source}/")
            return
        if stage not in self._stages:
            raise StepError(f"there is no stage {stage}")
        top = self._stages[stage].path(source)
        if top.is_dir():
            yield top, None
            yield from ((path, path.relative_to(top).as_posix()) for path in sorted(top.rglob("*")))
        elif top.exists():
            yield top, top.name


def build(work: Path, source: Path = ROOT, say: Callable[[str], None] = lambda _line: None) -> Stage:
    """
    Execute every step of deploy/Dockerfile in an empty folder; the last stage, as the image would be.
    """
    running = Build(work, source)
    for step in parse((source / "deploy" / "Dockerfile").read_text()):
        began = time.monotonic()
        running.do(step)
        say(f"{time.monotonic() - began:5.1f} s  {step}")
    return running.stage


def import_all(image: Stage) -> str:
    """
    Import every module of the image with the image's own packages; what it says. Raises ``StepError`` on a missing one.
    """
    process = image.run(("python", "-W", "ignore", "-c", IMPORT_ALL))
    printed, _ = process.communicate()
    if process.returncode:
        raise StepError(f"an import fails in the image:\n{printed[-3000:]}")
    return printed.strip()


def main() -> int:
    """
    Entry of ``python -m deploy.docker_steps``.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.docker_steps", description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty folder; it stays, to be looked at")
    try:
        image = build(parser.parse_args().folder, say=print)
        print(import_all(image))
    except StepError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"the image's files: {image.root}; user {image.notes['USER']}; command {image.notes['CMD']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
