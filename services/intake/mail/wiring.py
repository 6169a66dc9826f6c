"""
The real parts of the process that takes mails: Kafka, MongoDB for the files, the door.
"""

import asyncio
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from services.common.contracts import topics
from services.common.kit.background import or_stop
from services.common.kit.clock import system_clock
from services.common.kit.health import Health
from services.common.kit.heap import settle
from services.common.kit.liveness import watched
from services.common.kit.logs import logger
from services.common.kit.mongo import connect
from services.common.kit.ops import serve_ops
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.wiring import attachments_of
from services.intake.conversations.inbound import Inbox
from services.intake.domain import Accepted
from services.intake.mail.listener import Door, listening
from services.intake.mail.receiving import Postroom
from services.intake.repository import AWAY, Repository
from services.intake.settings import IntakeSettings, MailSettings

log = logger(__name__)
_TOPICS: Final = (topics.CONTACTS.name, topics.MESSAGES_IN.name, topics.MESSAGES_OUT.name)
_AWAY: Final[tuple[type[Exception], ...]] = (PublishFailed, *AWAY)
_BETWEEN_LOOKS: Final = 1.0


def door_of(mail: MailSettings) -> Door:
    """
    The door as set. Raises ``OSError`` for a certificate that cannot be read.
    """
    tls = None
    if mail.tls_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(mail.tls_certificate, mail.tls_key)
    return Door(mail.addresses, mail.host, mail.port, mail.protocol, mail.hostname, mail.max_bytes, tls=tls)


@asynccontextmanager
async def mailroom(settings: IntakeSettings, mail: MailSettings, health: Health) -> AsyncIterator[int]:
    """
    Take mails while the context lasts, although Kafka or MongoDB may be away: then the sender hears to try again. Gives
    the port.
    """
    client = connect(settings.mongo)
    files = GridFSStore(client, settings.database)
    publisher = KafkaPublisher(settings.kafka)

    async def keep(accepted: Accepted) -> None:
        for record in accepted.records:
            await publisher.publish(record)

    async def prepare() -> None:
        while True:
            try:
                await publisher.start(_TOPICS)
                await files.prepare()
                break
            except _AWAY as error:
                log.warning("not there yet", error=type(error).__name__)
                await asyncio.sleep(_BETWEEN_LOOKS)
        while True:
            health.ready = publisher.connected
            await asyncio.sleep(_BETWEEN_LOOKS)

    attachments = attachments_of(settings, files, Repository(client, settings.database).holders)
    inbox = Inbox(settings.secret, keep, system_clock)
    preparing = asyncio.create_task(or_stop(prepare()))
    try:
        async with listening(Postroom(inbox, attachments, mail.addresses, system_clock), door_of(mail)) as port:
            yield port
    finally:
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
        await publisher.close()
        client.close()


def run_mailroom(settings: IntakeSettings, mail: MailSettings) -> None:
    """
    Take mails until SIGTERM or SIGINT.
    """

    async def run() -> None:
        stop = asyncio.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, stop.set)
        health = Health()
        async with serve_ops(health, mail.ops_port, mail.ops_host), mailroom(settings, mail, health) as port:
            settle()
            log.info("mails are taken", port=port, protocol=mail.protocol)
            with watched(health, settings.worker.liveness):
                await stop.wait()

    asyncio.run(run())
