"""
Bring back what ``deploy.backup`` copied: ``python -m deploy.restore secrets FOLDER`` before the broker and the database
are started, ``python -m deploy.restore load FOLDER`` when they run and the services do not.

The broker's topics and the databases must be empty. Nothing is touched before every file is found to be as it was
written. Records come back into their partitions, in their order and with their times; offsets begin at 0 again, so what
groups had acknowledged is translated. Then the ledger of notify is settled with what its topic says.
"""

import argparse
import asyncio
import logging
import os
import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from bson.raw_bson import RawBSONDocument
from kafka.errors import KafkaError
from pymongo.errors import PyMongoError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy import topics
from deploy.backup import ENVIRONMENT, SPOOL
from deploy.ledger import outcomes, settle
from deploy.recovery import broker, databases, order
from deploy.recovery.archive import SUFFIX, Copied, Folder, Manifest, NoBackup
from deploy.stack.config import ROOT, read_env_file
from deploy.terminal import ToolError, settings
from services.common.contracts.topics import ALL_TOPICS, TOPICS_BY_NAME

_HOLD: Final = ("INTAKE_ID_SECRET", "TRACKING_SECRET", "INTAKE_TRACKING_SECRET", "NOTIFY_TRACKING_SECRET")
"""Secrets by which numbers, idempotency keys and links hold."""


class Restore:
    """
    One restore. ``variables`` are the settings of the system that is to be filled; ``step`` is called with what is
    done next and of how many, and gives what to call for each.
    """

    def __init__(
        self,
        folder: Folder,
        variables: Mapping[str, str],
        replication: int,
        step: Callable[[str, int], Callable[[], None]],
    ) -> None:
        self._folder = folder
        self._variables = variables
        self._replication = replication
        self._step = step
        self._servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
        self._mongo = databases.of(variables)

    def run(self) -> str:
        """
        Fill an empty system. What to know of the result. Raises ``NoBackup``, ``ToolError``, or what Kafka's and
        MongoDB's clients raise.
        """
        manifest = self._folder.manifest()
        done = self._step("looking at the files", len(manifest.files))
        for _ in self._folder.check(manifest):
            done()
        self._refuse_other_secrets()
        with databases.server(self._mongo) as client:
            self._refuse_what_is_filled(client)
            spool = spool_place(manifest, self._variables)
            differences = topics.apply(self._servers, replication=self._replication)
            if differences:
                raise ToolError("the broker's topics differ from the contract: " + "; ".join(differences))
            kept = self._topics(manifest)
            for group, offsets in manifest.offsets.items():
                broker.acknowledge(self._servers, group, translated(offsets, kept))
            self._databases(client, manifest)
        if spool is not None:
            self._spool(manifest, spool)
        settled = asyncio.run(settle(self._mongo, "notify", outcomes(self._servers), went_on=manifest.notify_ran))
        return (
            f"as of {manifest.ended_at:%Y-%m-%d %H:%M:%S} UTC. Messages that had ended since notify's database was "
            f"copied: {settled.ended}. Requests with one that may have gone out since: {settled.in_doubt}; it goes out "
            "again if it may be doubled, else it fails as unknown."
        )

    def _refuse_other_secrets(self) -> None:
        then = read_env_file((self._folder.path / ENVIRONMENT).read_text())
        other = [name for name in _HOLD if name in then and self._variables.get(name, then[name]) != then[name]]
        if other or "INTAKE_ID_SECRET" not in self._variables:
            wrong = ", ".join(other) or "INTAKE_ID_SECRET"
            raise ToolError(
                f"{wrong} is not what it was: old numbers and links would not hold. Take {ENVIRONMENT} of the backup; "
                "on a local stack that is new: `python -m deploy.restore secrets FOLDER` before `make up`"
            )

    def _refuse_what_is_filled(self, client: databases.Raw) -> None:
        running = [group for group, count in broker.members(self._servers).items() if count]
        if running:
            raise ToolError(f"services run ({', '.join(running)}): only the broker and the database may")
        there = broker.filled(self._servers, TOPICS_BY_NAME) + databases.filled(client, order.DATABASES)
        if there:
            raise ToolError(f"not empty: {', '.join(there[:5])}{', …' if there[5:] else ''}. Nothing was touched")

    def _topics(self, manifest: Manifest) -> dict[str, Sequence[int]]:
        """
        Fill the topics; by partition, which offsets its records had.
        """
        kept: dict[str, array[int]] = defaultdict(lambda: array("q"))
        for topic in ALL_TOPICS:
            name = f"topics/{topic.name}{SUFFIX}"
            if name not in manifest.files:
                continue
            for record in self._records(manifest, topic.name):
                kept[f"{topic.name}/{record.partition}"].append(record.offset)
            records: Iterator[Copied] = self._records(manifest, topic.name)
            if topic.name.endswith(".dlq"):
                records = (order.renumbered(one, kept[f"{topic.name}/{one.partition}"]) for one in records)
            count = sum(len(offsets) for partition, offsets in kept.items() if partition.startswith(f"{topic.name}/"))
            broker.produce(self._servers, topic.name, records, self._step(topic.name, count))
        return dict(kept)

    def _records(self, manifest: Manifest, topic: str) -> Iterator[Copied]:
        left_out = {partition: frozenset(offsets) for partition, offsets in manifest.left_out.items()}
        for record in self._folder.records(f"topics/{topic}{SUFFIX}"):
            if record.offset not in left_out.get(f"{topic}/{record.partition}", ()):
                yield record

    def _databases(self, client: databases.Raw, manifest: Manifest) -> None:
        for name, kept in manifest.files.items():
            if not name.startswith("mongo/"):
                continue
            _, database, collection = name.removesuffix(SUFFIX).split("/", 2)
            done = self._step(f"{database}.{collection}", kept.count)
            databases.write(client[database], collection, self._documents(name, done))

    def _documents(self, name: str, done: Callable[[], None]) -> Iterator[RawBSONDocument]:
        for document in self._folder.raw(name):
            yield document
            done()

    def _spool(self, manifest: Manifest, spool: Path) -> None:
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in _of_the_spool(manifest):
            with os.fdopen(os.open(spool / Path(name).name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write((self._folder.path / name).read_bytes())
                file.flush()
                os.fsync(file.fileno())


def spool_place(manifest: Manifest, variables: Mapping[str, str]) -> Path | None:
    """
    Where the spool of a backup goes, an empty place; None if the backup has none. Raises ``ToolError``.
    """
    if not _of_the_spool(manifest):
        return None
    data = variables.get("INTAKE_DATA_DIR")
    if not data:
        raise ToolError("INTAKE_DATA_DIR is not set: where does intake's spool go? Nothing was touched")
    spool = Path(data) / "spool"
    if spool.is_dir() and any(spool.iterdir()):
        raise ToolError(f"not empty: {spool}. Nothing was touched")
    return spool


def _of_the_spool(manifest: Manifest) -> list[str]:
    return [name for name in manifest.files if name.startswith(f"{SPOOL}/")]


def translated(offsets: Mapping[str, int], kept: Mapping[str, Sequence[int]]) -> dict[str, int]:
    """
    What a group had acknowledged, in partitions that begin at 0 again.
    """
    return {partition: order.moved(kept.get(partition, ()), offset) for partition, offset in offsets.items()}


def secrets(folder: Folder, run_dir: Path) -> Path:
    """
    Give a local stack that was never up the secrets of the backup. Raises ``ToolError``, ``NoBackup``.
    """
    manifest = folder.manifest()
    if ENVIRONMENT not in manifest.files:
        raise NoBackup(f"{folder.path} has no {ENVIRONMENT}")
    path = run_dir / "env"
    if path.exists():
        raise ToolError(f"{path} is there: a restore goes into a new folder (RUN_DIR=…), or `make down WIPE=1` first")
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write((folder.path / ENVIRONMENT).read_bytes())
    return path


def main() -> int:
    """
    Entry of ``python -m deploy.restore``: 0 done, 2 with one line that says what to do.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.restore", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("command", choices=("secrets", "load"))
    parser.add_argument("folder", type=Path, help="what `deploy.backup` made")
    parser.add_argument("--replication", type=int, default=1, help="copies of each partition (default: 1)")
    arguments = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    folder = Folder(arguments.folder)
    try:
        if arguments.command == "secrets":
            print(f"{secrets(folder, Path(os.environ.get('RUN_DIR') or ROOT / '.run'))} has the backup's secrets")
            return 0
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:

            def step(name: str, total: int) -> Callable[[], None]:
                task = progress.add_task(name, total=total, visible=total > 0)
                return lambda: progress.advance(task)

            print(Restore(folder, settings(), arguments.replication, step).run())
    except (ToolError, NoBackup, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KafkaError, PyMongoError) as error:
        print(f"error: {type(error).__name__}; empty what was filled and run it again", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
