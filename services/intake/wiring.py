"""
The HTTP side's real parts: Kafka, MongoDB, the key file, the spool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Final

import httpx

from services.common.contracts import topics
from services.common.kit.background import or_stop
from services.common.kit.clock import system_clock
from services.common.kit.guard import People
from services.common.kit.limits import Buckets, Limits
from services.common.kit.logs import logger
from services.common.kit.mongo import connect
from services.common.kit.people import TokenVerifier
from services.common.kit.publisher import KafkaPublisher, PublishFailed
from services.intake.api import Parts
from services.intake.application import Intake
from services.intake.attachments.fetcher import Fetcher
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.wiring import attachments_of
from services.intake.calls.board import Board
from services.intake.calls.console import NotifyContacts, Telephony
from services.intake.calls.repository import CallRepository
from services.intake.calls.switchboard import Switchboard
from services.intake.citizen.citizens import TRIES, Citizens
from services.intake.citizen.inner import Inner
from services.intake.conversations.inbound import Inbox
from services.intake.conversations.whatsapp_webhook import Hook
from services.intake.crises import Declarations
from services.intake.desk.others import Others
from services.intake.desk.room import Desk
from services.intake.desk.suggest import Routing
from services.intake.guard import Away, Breaker
from services.intake.keeper import Keeper
from services.intake.keys import Keys, OwnKeys, own_key, stored_own
from services.intake.open311.definitions import definitions
from services.intake.open311.endpoint import Open311
from services.intake.open311.reading import Lately, PublicReader
from services.intake.open311.shape import PREFIX
from services.intake.read_model import CaseState
from services.intake.repository import AWAY, Repository
from services.intake.settings import IntakeSettings
from services.intake.sms.wiring import gateways_of, inboxes_of
from services.intake.spool import Spool, SpoolInUse

log = logger(__name__)
_TOPICS: Final = (
    topics.CONTACTS.name,
    topics.RECEIVED.name,
    topics.UPDATES.name,
    topics.CRISES.name,
    topics.CALLS.name,
    topics.MESSAGES_IN.name,
    topics.MESSAGES_OUT.name,
)


@asynccontextmanager
async def parts(settings: IntakeSettings) -> AsyncIterator[Parts]:
    """
    Everything the HTTP side stands on. Starts although Kafka or MongoDB is away, and finds them later. Raises
    ``SpoolInUse`` if another instance has the same data folder.
    """
    try:
        spool = Spool(settings.data_dir / "spool", settings.spool_max_bytes)
    except SpoolInUse as error:
        log.error("intake does not start", why=str(error))
        raise
    client = connect(settings.mongo)
    repository = Repository(client, settings.database)
    hints = Breaker(
        "MongoDB (hints)", AWAY, pause=5.0, limit=0.1, after=5
    )  # a request never waits longer than this for MongoDB
    patient = Breaker("MongoDB", AWAY, pause=1.0, limit=4.0)
    publisher = KafkaPublisher(settings.kafka)
    keeper = Keeper(publisher, spool, system_clock)
    keeper.measure()
    keys = Keys(repository.keys, settings.data_dir / "keys.json", patient, stored_own(settings.secret))
    http = httpx.AsyncClient()
    calls = CallRepository(client, settings.database)
    telephony = telephony_of(settings, keeper, calls, http)
    files = GridFSStore(client, settings.database)
    attachments = attachments_of(settings, files, repository.holders)
    intake = Intake(
        secret=settings.secret,
        public_url=settings.public_url,
        keeper=keeper,
        store=repository,
        calls=telephony.switchboard,
        files=attachments,
        hints=hints,
        patient=patient,
        clock=system_clock,
    )
    people = People(
        keys=OwnKeys(keys),
        tokens=TokenVerifier(http, settings.reporting_url),
        public_url=settings.public_url.rstrip("/"),
        reporting_public_url=settings.reporting_public_url.rstrip("/"),
    )
    declarations = Declarations(repository, publisher, patient, system_clock)

    async def case(request_id: str) -> CaseState | None:
        try:
            return await hints.call(lambda: repository.case(request_id))
        except Away:
            return None

    desk = Desk(
        intake=intake,
        files=attachments,
        suggestions=Routing(http, settings.routing_url),
        others=Others(http, settings.reporting_url, settings.notify_url),
        case=case,
        public_url=settings.public_url.rstrip("/"),
    )

    limits = Limits(Buckets(settings.address_rate), Buckets(settings.key_rate), settings.trusted_proxies)
    lately = Lately()
    open311 = Open311(
        base_url=f"{settings.public_url.rstrip('/')}{PREFIX}",
        jurisdiction=settings.open311_jurisdiction,
        contact=settings.open311_contact,
        key_service=settings.open311_key_service,
        secret=settings.secret,
        known=definitions(),
        reader=PublicReader(http, settings.reporting_url, lately),
        lately=lately,
        keys=people.keys,
        limits=limits,
        intake=intake,
        attachments=attachments,
        clock=system_clock,
        fetcher=Fetcher(http=settings.fetch_media_http) if settings.fetch_media else None,
    )

    citizens = Citizens(
        intake=intake,
        files=attachments,
        suggestions=desk.suggestions,
        reader=open311.reader,
        inner=Inner(
            http,
            own_key(settings.secret),
            settings.reporting_url,
            settings.notify_url,
            lambda request_id: patient.call(lambda: calls.contact_of(request_id)),
        ),
        known=open311.known,
        secret=settings.signs_links,
        public_url=settings.public_url.rstrip("/"),
        forms=Buckets(settings.form_rate),
        tries=Buckets(TRIES),
        trusted_proxies=settings.trusted_proxies,
        clock=system_clock,
        tiles=settings.tiles,
    )

    async def has_number(contact_id: str) -> bool:
        try:
            return await hints.call(lambda: calls.has_number(contact_id))
        except Away:
            return False

    async def holder(contact_id: str) -> str | None:
        try:
            return await hints.call(lambda: calls.holder(contact_id))
        except Away:
            return None

    inbox = Inbox(settings.secret, keeper.keep, system_clock, has_number, holder)

    sms = gateways_of(settings, inbox)

    async def ready() -> dict[str, object]:
        kafka, mongo = publisher.connected, True
        try:
            async with asyncio.timeout(0.5):
                await repository.ping()
        except AWAY:
            mongo = False
        return {
            "ready": keeper.able and keys.count is not None,
            "kafka": kafka,
            "mongo": mongo,
            "keys": keys.count,
            "spool": keeper.state(),
        }

    async def to_kafka() -> None:
        await _until_done(lambda: publisher.start(_TOPICS), "Kafka", PublishFailed)
        await keeper.drain()

    for number, print_of_body in spool.keyed().items():
        intake.fingerprints.remember(number, print_of_body)
    await keys.start()
    tasks = [
        asyncio.create_task(or_stop(work))
        for work in (
            keys.keep_fresh(),
            to_kafka(),
            _until_done(lambda: patient.call(repository.prepare), "MongoDB", Away),
            _until_done(lambda: patient.call(calls.prepare), "MongoDB", Away),
            telephony.switchboard.sweep(),
            telephony.board.watch(),
            _until_done(lambda: patient.call(files.prepare), "MongoDB", Away),
            *(fetched.follow() for fetched in inboxes_of(settings, http, sms)),
        )
    ]
    try:
        yield Parts(
            intake=intake,
            declarations=declarations,
            attachments=attachments,
            keys=keys,
            people=people,
            telephony=telephony,
            desk=desk,
            open311=open311,
            citizens=citizens,
            inbox=inbox,
            whatsapp=whatsapp_of(settings, inbox),
            sms=sms,
            limits=limits,
            ready=ready,
            duties=(keeper.duty,),
        )
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await intake.drain()
        await http.aclose()
        await publisher.close()
        spool.close()
        client.close()


def telephony_of(settings: IntakeSettings, keeper: Keeper, calls: CallRepository, http: httpx.AsyncClient) -> Telephony:
    """
    The telephone's side.
    """
    mongo = Breaker("MongoDB (calls)", AWAY, pause=1.0, limit=4.0)
    token = settings.twilio_auth_token
    return Telephony(
        switchboard=Switchboard(secret=settings.secret, keeper=keeper, store=calls, mongo=mongo, clock=system_clock),
        board=Board(calls, mongo, system_clock),
        contacts=NotifyContacts(http, settings.notify_url),
        exchanges={name: secret.get_secret_value() for name, secret in settings.telephony_exchanges.items()},
        public_url=settings.public_url.rstrip("/"),
        twilio_token=token.get_secret_value() if token else None,
        twilio_number=settings.twilio_desk_number,
    )


def whatsapp_of(settings: IntakeSettings, inbox: Inbox) -> Hook | None:
    """
    WhatsApp's side, if it is used here.
    """
    secret, token = settings.whatsapp_app_secret, settings.whatsapp_verify_token
    if secret is None or token is None:
        return None
    return Hook(
        inbox=inbox,
        app_secret=secret.get_secret_value().encode(),
        verify_token=token.get_secret_value(),
        number_id=settings.whatsapp_number_id,
        clock=system_clock,
    )


async def _until_done(work: Callable[[], Awaitable[None]], what: str, away: type[Exception]) -> None:
    while True:
        try:
            return await work()
        except away:
            log.warning("not there yet", what=what)
            await asyncio.sleep(1)


def parts_of(settings: IntakeSettings) -> Callable[[], AbstractAsyncContextManager[Parts]]:
    """
    ``parts`` as the factory that ``create_app`` takes.
    """
    return lambda: parts(settings)
