"""
The rehearsal: a backup while requests come in, the system gone, another one made of the backup in other folders and on
other ports.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from pymongo import MongoClient

from deploy.backup import Backup
from deploy.ledger import Settled, rebuild
from deploy.observe import Observer, facts
from deploy.recovery.archive import Folder, Manifest
from deploy.restore import Restore, secrets
from deploy.terminal import ToolError
from deploy.verify import Found, lines
from tests.city import City, silent
from tests.conftest import new_stack
from tests.waiting import eventually

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.long]
BEFORE, AFTERWARDS = 40, 5


@dataclass
class Move:
    """
    What was before, what was copied, and what was made of it. ``early``: accepted before the backup began, by key.
    """

    folder: Path
    manifest: Manifest
    before: Found
    early: dict[str, str]
    resolved: list[str]
    mails: dict[str, str]
    told: set[tuple[str, str, str, int]]
    here: City


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Move]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOTIFY_DIGESTS", "false")
        there = City(new_stack(tmp_path_factory.mktemp("old")))
        here = None
        folder = tmp_path_factory.mktemp("backup") / "of-today"
        try:
            there.stack.up()
            for number in range(BEFORE):
                there.ask(number)
            early, resolved = dict(there.accepted), list(there.resolved)
            manifest = while_more_come_in(there, folder)
            for number in range(1_000, 1_000 + AFTERWARDS):
                there.ask(number)
            before = there.agrees()
            mails, told = there.mails, outcomes(there)
            there.stack.down(wipe=True)
            run_dir = tmp_path_factory.mktemp("new")
            secrets(Folder(folder), run_dir)
            here = City(new_stack(run_dir))
            here.stack.up(services=False)
            Restore(Folder(folder), here.env, 1, silent).run()
            here.stack.up()
            yield Move(folder, manifest, before, early, resolved, mails, told, here)
        finally:
            there.stack.down()
            if here is not None:
                here.stack.down()


def while_more_come_in(there: City, folder: Path) -> Manifest:
    """
    Back up while requests are posted without a pause, from before its begin until after its end.
    """
    over, begun = threading.Event(), threading.Event()

    def post() -> None:
        for number in count(100):
            there.ask(number)
            if number == 102:
                begun.set()
            if over.is_set():
                return

    posting = threading.Thread(target=post)
    posting.start()
    try:
        assert begun.wait(60)
        return Backup(Folder(folder), there.env, 60, lambda _line: None).run()
    finally:
        over.set()
        posting.join(60)


def outcomes(city: City) -> set[tuple[str, str, str, int]]:
    observer = Observer(city.env["KAFKA_BOOTSTRAP_SERVERS"])
    try:
        found = facts(observer.catch_up())
    finally:
        observer.close()
    assert all(len(events) == 1 for events in found.outcomes.values())
    return set(found.outcomes)


def test_the_old_system_agreed_with_itself(move: Move) -> None:
    assert lines(move.before)[-1] == "everything agrees"


def test_the_new_system_agrees_with_itself(move: Move) -> None:
    found = move.here.agrees()
    assert found.differences == [], "\n".join(lines(found))
    assert sum(day.received for day in found.days) >= BEFORE


def test_what_was_accepted_before_the_backup_is_there_and_what_was_closed_is_closed(move: Move) -> None:
    for request_id in move.early.values():
        assert eventually(partial(move.here.shown, request_id), 60, request_id)
    for request_id in move.resolved:
        eventually(partial(move.here.resolved_now, request_id), 60, request_id)


def test_an_old_key_gets_the_number_that_it_got(move: Move) -> None:
    assert {move.here.ask(number) for number in (1, 2, 3)} == {move.early[f"key-{number}"] for number in (1, 2, 3)}
    assert move.here.agrees().differences == []


def test_the_link_in_an_old_mail_shows_the_citizens_own_words(move: Move) -> None:
    request_id = move.early["key-0"]
    link = next(
        found[0]
        for text in move.mails.values()
        if (found := re.search(rf"https?://\S+/t/{request_id}\?k=[0-9a-f-]+", text))
    )
    parts = urlsplit(link)
    with httpx.Client(base_url=move.here.env["INTAKE_URL"], follow_redirects=True, timeout=30) as browser:
        assert "Yazdığınız" in browser.get(f"{parts.path}?{parts.query}").text


def test_nobody_is_told_twice(move: Move) -> None:
    assert move.here.agrees().differences == []
    new = move.here.ask(2_001)
    eventually(lambda: any(new in text for text in move.here.mails.values()), 90, "a mail")
    assert set(move.here.mails) & set(move.mails) == set()
    outcomes(move.here)


def test_a_lost_ledger_is_made_again_and_nobody_hears_anything_a_second_time(move: Move) -> None:
    stack, env = move.here.stack, move.here.env
    assert move.here.agrees().differences == []
    told, mails = outcomes(move.here), set(move.here.mails)
    with pytest.raises(ToolError, match="notify runs"):
        rebuild(env)
    stack.stop("notify")
    with MongoClient[dict[str, Any]](env["MONGODB_URI"]) as client:
        client.drop_database("notify")
    assert eventually(lambda: rebuilt(env), 60, "the ledger").ended >= len(told)
    stack.start("notify")
    new = move.here.ask(2_004)
    eventually(lambda: any(new in text for text in move.here.mails.values()), 90, "a mail")
    assert move.here.agrees().differences == []
    added = {one for one in outcomes(move.here) - told if one[0] != new}
    assert added == set()
    assert all(new in move.here.mails[one] for one in set(move.here.mails) - mails)


def rebuilt(env: Mapping[str, str]) -> Settled | None:
    """
    The broker may take a moment to see that notify has gone.
    """
    try:
        return rebuild(env)
    except ToolError:
        return None


def test_no_event_came_back_in_two_versions(move: Move) -> None:
    observer = Observer(move.here.env["KAFKA_BOOTSTRAP_SERVERS"])
    try:
        found = facts(observer.catch_up())
    finally:
        observer.close()
    assert found.two_versions_of == set()
    assert found.unreadable == 0


def test_a_system_that_has_something_is_not_filled(move: Move) -> None:
    with pytest.raises(ToolError, match="services run"):
        Restore(Folder(move.folder), move.here.env, 1, silent).run()
    for name in ("intake", "intake-worker", "intake-mail", "routing", "notify", "notify-api", "projector"):
        move.here.stack.stop(name)
    with pytest.raises(ToolError, match=r"not empty: .*Nothing was touched"):
        Restore(Folder(move.folder), move.here.env, 1, silent).run()
