"""
Copy the state of a running system into a folder: ``python -m deploy.backup FOLDER``.

Offsets, databases, topics, intake's spool and the secrets, in an order that makes them one state although nothing
stands still (``recovery/order.py``). The folder holds names, telephones and addresses of citizens, and the secrets by
which numbers, links and sign-ins hold; not those that providers gave.
"""

import argparse
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bson.raw_bson import RawBSONDocument
from kafka.errors import KafkaError
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from deploy.recovery import broker, databases, order
from deploy.recovery.archive import SUFFIX, Copied, Folder, Manifest, NoBackup, packed
from deploy.stack.config import SECRETS, env_file
from deploy.terminal import ToolError, settings
from services.common.contracts.topics import LIFECYCLE, NOTIFICATIONS
from services.notify.domain import State
from services.routing.case import Entry

ENVIRONMENT: Final = "secrets.env"
SPOOL: Final = "intake/spool"
MORE_SECRETS: Final = ("INTAKE_TRACKING_SECRET", "NOTIFY_TRACKING_SECRET")
PRIVATE: Final = (
    "it holds citizens' names, telephones and addresses, and the secrets by which numbers, links and sign-ins hold:"
    " keep it as you keep those. Providers' secrets are not in it"
)
_POSITION: Final = "position"  # before the segments: an older one only publishes again


class Backup:
    """
    One backup. ``variables`` are the settings of the running system, ``say`` gets a line for each part that has any.
    """

    def __init__(
        self, folder: Folder, variables: Mapping[str, str], patience: float, say: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._variables = variables
        self._patience = patience
        self._say = say
        self._servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
        self._mongo = databases.of(variables)
        self._unsure: dict[tuple[str, int], str] = {}  # by place, the ce_ids of what routing may not have written down

    def run(self) -> Manifest:
        """
        Make the whole backup. Raises ``ToolError``, ``NoBackup``, or what Kafka's and MongoDB's clients raise.
        """
        began_at = datetime.now(UTC)
        self._folder.make()
        offsets = broker.acknowledged(self._servers)
        notify_ran = broker.members(self._servers).get("notify", 0) > 0
        with databases.server(self._mongo) as client:
            for name in ("intake", "reporting"):
                self._database(client, name)
            before_routing = broker.ends(self._servers, [topic.name for topic in order.OF_ROUTING])
            self._database(client, "routing")
            self._spool()
            for topic in order.topics_in_order():
                self._topic(topic.name, before_routing)
            behind = self._wait_for_notify(client["notify"]["tellings"])
            self._database(client, "notify")
            self._topic(NOTIFICATIONS.name, {})
            for name in order.LAST:
                self._files(client, name)
        self._secrets()
        manifest = Manifest(
            began_at=began_at,
            ended_at=datetime.now(UTC),
            notify_ran=notify_ran,
            notify_behind=behind,
            offsets=offsets,
            left_out=self._orphans(),
            files={},
        )
        return self._folder.seal(manifest)

    def _database(self, client: databases.Raw, name: str) -> None:
        own, _ = order.collections_in_order(name, databases.collections(client[name]))
        self._collections(client, name, own)

    def _files(self, client: databases.Raw, name: str) -> None:
        _, last = order.collections_in_order(name, databases.collections(client[name]))
        self._collections(client, name, last)

    def _collections(self, client: databases.Raw, name: str, collections: Iterable[str]) -> None:
        for collection in collections:
            self._write(f"mongo/{name}/{collection}{SUFFIX}", databases.read(client[name], collection))

    def _topic(self, topic: str, before_routing: Mapping[str, int]) -> None:
        def records() -> Iterator[bytes]:
            for record in broker.read(self._servers, topic):
                self._look_at(topic, record, before_routing)
                yield packed(record)

        self._write(f"topics/{topic}{SUFFIX}", records())

    def _write(self, name: str, documents: Iterable[bytes]) -> None:
        if count := self._folder.write(name, documents):
            self._say(f"{name}: {count}")

    def _look_at(self, topic: str, record: Copied, before_routing: Mapping[str, int]) -> None:
        partition = f"{topic}/{record.partition}"
        if record.offset < before_routing.get(partition, sys.maxsize):
            return
        if (event_id := order.stored_id(topic, record)) is not None:
            self._unsure[partition, record.offset] = event_id

    def _orphans(self) -> dict[str, tuple[int, ...]]:
        """
        Of what routing published since its database was copied, what that copy does not know.
        """
        if not self._unsure:
            return {}
        wanted, known = set(self._unsure.values()), set()
        for case in self._folder.read(f"mongo/routing/cases{SUFFIX}"):
            for entry in case["events"]:
                for record in Entry(entry["cause"], bytes(entry["records"])).records:
                    known.add(dict(record.headers)["ce_id"].decode())
        return order.orphans(self._unsure, wanted & known)

    def _wait_for_notify(self, tellings: Collection[RawBSONDocument]) -> int:
        """
        Wait until notify has written down whatever is on requests.lifecycle now and has nothing in hand; how many
        events it has not written down after all.
        """
        ends = broker.ends(self._servers, [LIFECYCLE.name])
        deadline = time.monotonic() + self._patience
        while True:
            done = broker.acknowledged(self._servers)["notify"]
            behind = sum(max(0, end - done.get(partition, 0)) for partition, end in ends.items())
            due = {"next_at": {"$lte": datetime.now(UTC)}}
            busy = behind or tellings.find_one({"$or": [due, {"rows.state": State.SENDING}]}) is not None
            if not busy or time.monotonic() > deadline:
                return behind
            time.sleep(0.2)

    def _spool(self) -> None:
        """
        What intake accepted while Kafka was away. A segment that goes meanwhile is on the topics, which come later.
        """
        data = self._variables.get("INTAKE_DATA_DIR")
        spool = Path(data) / "spool" if data else None
        if spool is None or not spool.is_dir():
            self._say("intake's spool is not on this machine: copy it yourself if it is not empty")
            return
        files = sorted(spool.iterdir(), key=lambda path: (path.name != _POSITION, path.name))
        for path in files:
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            self._folder.put(f"{SPOOL}/{path.name}", content)

    def _secrets(self) -> None:
        found = {name: self._variables[name] for name in (*SECRETS, *MORE_SECRETS) if name in self._variables}
        if "INTAKE_ID_SECRET" not in found:
            raise ToolError(
                "INTAKE_ID_SECRET is not in the environment: without it no number and no link holds after a restore"
            )
        self._folder.put(ENVIRONMENT, env_file(found).encode())


def main() -> int:
    """
    Entry of ``python -m deploy.backup``: 0 done, 2 with one line that says what to do.
    """
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("folder", type=Path, help="a folder of its own, new or empty")
    parser.add_argument(
        "--patience", type=float, default=60, metavar="SECONDS", help="how long notify may take to catch up (60)"
    )
    arguments = parser.parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    folder = Folder(arguments.folder)
    try:
        manifest = Backup(folder, settings(), arguments.patience, print).run()
    except (ToolError, NoBackup, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (KafkaError, PyMongoError) as error:
        print(f"error: {type(error).__name__}; nothing is kept as a backup: run it again", file=sys.stderr)
        return 2
    print(summary(arguments.folder, manifest))
    return 0


def summary(path: Path, manifest: Manifest) -> str:
    """
    What was made, and what is to be known of it.
    """
    records = sum(kept.count for name, kept in manifest.files.items() if name.startswith("topics/"))
    documents = sum(kept.count for name, kept in manifest.files.items() if name.startswith("mongo/"))
    size = sum(kept.size for kept in manifest.files.values()) / 1e6
    seconds = (manifest.ended_at - manifest.began_at).total_seconds()
    lines = [
        f"{path}: {records} records, {documents} documents, {size:.1f} MB, in {seconds:.0f} s",
        f"{sum(map(len, manifest.left_out.values()))} records of routing came too late to count: "
        "their causes come again after a restore",
    ]
    if manifest.notify_behind:
        lines.append(
            f"notify was {manifest.notify_behind} events behind: after a restore these may be told a second time"
        )
    return "\n".join([*lines, PRIVATE])


if __name__ == "__main__":
    sys.exit(main())
