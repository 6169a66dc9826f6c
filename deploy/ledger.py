"""
Notify's ledger made again from its topic: ``python -m deploy.ledger``, while notify does not run.

For a database of notify's that was lost: every message of which notifications.lifecycle has the outcome is put down as
ended, and notify reads its topics from the beginning. So contacts come back, nobody is told again, and what waited is
told if it is not too old (``NOTIFY_MAX_AGE``). What the topics do not have is lost: the audit of contacts that were
looked at, what was ticked off on the call-back list, and which provider's word belongs to which message.
"""

import argparse
import asyncio
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from kafka.errors import KafkaError
from pymongo.errors import PyMongoError

from deploy.observe import Observer
from deploy.recovery import broker, databases
from deploy.terminal import ToolError, no_broker, settings
from services.common.contracts.envelope import Received
from services.common.contracts.events import Notification
from services.common.contracts.topics import NOTIFICATIONS
from services.common.kit.mongo import connect
from services.common.kit.settings import MongoSettings
from services.notify.domain import OPEN, Telling
from services.notify.recovered import in_doubt, with_outcomes
from services.notify.repository import NotifyRepository
from services.notify.worker import TOPICS

_TOGETHER: Final = 500
_LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
_ALL: Final = 10_000_000


class Settled(NamedTuple):
    """
    How many messages were put down as ended by what the topic says, and how many requests have one of which it is not
    known whether it went out since.
    """

    ended: int
    in_doubt: int


def outcomes(servers: str) -> dict[str, list[Received]]:
    """
    The events of notifications.lifecycle by request.
    """
    observer = Observer(servers, [NOTIFICATIONS.name])
    found: dict[str, list[Received]] = defaultdict(list)
    try:
        for seen in observer.catch_up():
            if seen.event is not None and isinstance(seen.event.data, Notification):
                found[seen.event.data.request_id].append(seen.event)
    finally:
        observer.close()
    return found


async def settle(
    mongo: MongoSettings, database: str, events: Mapping[str, list[Received]], *, went_on: bool
) -> Settled:
    """
    Put down in the ledger what the events say. ``went_on``: messages left the house after this ledger was copied, so
    what waits in it may have gone out.
    """
    client = connect(mongo)
    repository = NotifyRepository(client, database)
    ended = 0
    try:
        ids = sorted(events)
        for start in range(0, len(ids), _TOGETHER):
            some = ids[start : start + _TOGETHER]
            before = await repository.tellings(some)
            after = await repository.change(some, lambda one: with_outcomes(one, events[one.request_id]), before)
            ended += sum(_ended(after[key]) - _ended(before[key]) for key in some)
        waiting = await repository.due(_LATEST, _ALL) if went_on else {}
        now = datetime.now(UTC)
        doubtful = await repository.change(waiting, lambda one: in_doubt(one, now), waiting)
    finally:
        client.close()
    return Settled(ended, sum(doubtful[key] is not waiting[key] for key in doubtful))


def _ended(telling: Telling) -> int:
    return sum(row.state not in OPEN for row in telling.rows)


def from_the_beginning(servers: str) -> None:
    """
    Let notify read its topics from the beginning. Raises ``ToolError`` while a process of it runs.
    """
    broker.acknowledge(servers, "notify", broker.beginnings(servers, [topic.name for topic in TOPICS]))


def rebuild(variables: Mapping[str, str]) -> Settled:
    """
    Make the ledger again and let notify begin again. Raises ``ToolError`` while notify runs.
    """
    servers = variables["KAFKA_BOOTSTRAP_SERVERS"]
    try:
        if broker.members(servers).get("notify"):
            raise ToolError("notify runs: stop it first, for it would tell what the ledger does not know yet")
        settled = asyncio.run(settle(databases.of(variables), "notify", outcomes(servers), went_on=False))
        from_the_beginning(servers)
    except KafkaError:
        raise no_broker(servers) from None
    except PyMongoError as error:
        raise ToolError(f"MongoDB does not do it ({type(error).__name__}); run it again") from None
    return settled


def main() -> int:
    """
    Entry of ``python -m deploy.ledger``: 0 done, 2 with one line that says what to do.
    """
    argparse.ArgumentParser(
        prog="python -m deploy.ledger", description=(__doc__ or "").partition("\n\n")[0]
    ).parse_args()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    try:
        settled = rebuild(settings())
    except ToolError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{settled.ended} messages put down as ended; start notify: it reads its topics from the beginning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
