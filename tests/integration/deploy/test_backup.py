"""
A backup of the running system, brought back to a broker and a database of their own: the same records, the same
documents, the same counts. With services on what came back: test_rehearsal.py.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

from deploy.backup import Backup
from deploy.recovery import broker, databases
from deploy.recovery.archive import SUFFIX, Copied, Folder, Manifest
from deploy.restore import Restore, secrets
from deploy.stack.config import SECRETS
from deploy.stack.stack import Stack
from deploy.terminal import ToolError
from deploy.verify import Found
from tests.city import City, silent
from tests.conftest import new_stack
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.long]  # a second Kafka and database


@dataclass
class Copy:
    """
    What there was, its backup, and the empty system that was filled with it. ``number``: a request posted for it.
    """

    there: Found
    folder: Folder
    manifest: Manifest
    here: City
    number: str


@pytest.fixture(scope="module")
def copy(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    city = City(stack)
    numbers = [city.ask(number) for number in range(3)]
    eventually(lambda: any(numbers[0] in text for text in city.mails.values()), 60, "a mail")
    eventually(lambda: city.resolved_now(numbers[0]), 60, "what was closed")
    there = eventually(lambda: found if not (found := city.agrees()).moving else None, 60, "rest")
    folder = Folder(tmp_path_factory.mktemp("backup") / "of-today")
    manifest = Backup(folder, stack.env, 60, lambda _line: None).run()
    run_dir = tmp_path_factory.mktemp("new")
    secrets(folder, run_dir)
    here = City(new_stack(run_dir))
    try:
        here.stack.up(services=False)
        Restore(folder, here.env, 1, silent).run()
        yield Copy(there, folder, manifest, here, numbers[0])
    finally:
        here.stack.down(wipe=True)


def counts(found: Found) -> list[tuple[str | int, ...]]:
    """
    By day; who waits may be told meanwhile.
    """
    return [(*day[:5], day.told + day.waits) for day in found.days]


def test_what_came_back_agrees_as_what_was_copied_did(copy: Copy) -> None:
    found = copy.here.agrees()
    assert copy.manifest.notify_behind == 0
    assert counts(found) == counts(copy.there)
    assert found.differences == copy.there.differences
    assert (found.behind, found.unmade) == (0, 0)
    assert not any(copy.number in difference.requests for difference in found.differences)


def in_their_order(records: Iterable[Copied], left_out: Mapping[str, Collection[int]]) -> dict[int, list[Copied]]:
    found = defaultdict(list)
    for one in records:
        if one.offset not in left_out.get(str(one.partition), ()):
            found[one.partition].append(one._replace(offset=len(found[one.partition])))
    return found


def test_every_record_stands_in_its_partition_in_its_order_with_its_time_and_its_headers(copy: Copy) -> None:
    servers = copy.here.env["KAFKA_BOOTSTRAP_SERVERS"]
    files = [name for name, kept in copy.manifest.files.items() if name.startswith("topics/") and kept.count]
    topics = {name.removeprefix("topics/").removesuffix(SUFFIX) for name in files}
    assert {"contacts", "requests.received", "requests.lifecycle", "notifications.lifecycle"} <= topics
    for name in topics:
        if name.endswith(".dlq"):  # a note on a letter names it by its new number
            continue
        out = {
            place.rpartition("/")[2]: offsets
            for place, offsets in copy.manifest.left_out.items()
            if place.startswith(f"{name}/")
        }
        copied = in_their_order(copy.folder.records(f"topics/{name}{SUFFIX}"), out)
        assert in_their_order(broker.read(servers, name), {}) == copied, name


def test_every_document_is_there_as_it_was(copy: Copy) -> None:
    names = [name for name, kept in copy.manifest.files.items() if name.startswith("mongo/") and kept.count]
    assert {f"mongo/{name}{SUFFIX}" for name in ("intake/keys", "routing/cases", "reporting/requests")} <= set(names)
    with databases.server(databases.of(copy.here.env)) as client:
        for name in names:
            _, database, collection = name.removesuffix(SUFFIX).split("/", 2)
            if database == "notify":  # settled with what its topic says
                continue
            copied = {bytes(document.raw) for document in copy.folder.raw(name)}
            assert set(databases.read(client[database], collection)) == copied, name


def test_what_has_something_is_not_filled(copy: Copy) -> None:
    with pytest.raises(ToolError, match=r"not empty: .*Nothing was touched"):
        Restore(copy.folder, copy.here.env, 1, silent).run()


def test_other_secrets_are_refused(copy: Copy) -> None:
    other = {**copy.here.env, "INTAKE_ID_SECRET": "another"}
    with pytest.raises(ToolError, match="INTAKE_ID_SECRET is not what it was"):
        Restore(copy.folder, other, 1, silent).run()


def test_a_system_that_runs_is_not_filled(copy: Copy, stack: Stack) -> None:
    ours = {name: copy.here.env[name] for name in SECRETS}
    with pytest.raises(ToolError, match="services run"):
        Restore(copy.folder, {**stack.env, **ours}, 1, silent).run()
