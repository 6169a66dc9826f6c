"""
Files in MongoDB's protocol and intake's real process that looks at them: kept whole or not at all, found again, swept;
and every hostile file over HTTP.
"""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.stack.stack import Stack
from services.common.contracts.vocabulary import Status
from services.common.kit import mongo
from services.common.kit.auth import key_hash
from services.common.kit.mongo import Client
from services.common.kit.settings import KafkaSettings, MongoSettings
from services.intake.api import create_app
from services.intake.attachments import repository as files
from services.intake.attachments.kinds import Kind
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.store import Attachment, Link, Size, Use
from services.intake.keys import StoredKey
from services.intake.read_model import CaseState
from services.intake.repository import Repository
from services.intake.settings import IntakeSettings
from services.intake.wiring import parts_of
from tests.hostile_files.cases import CASES
from tests.hostile_files.pictures import jpeg, png

pytestmark = pytest.mark.integration
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
RID = "7XK29MQ4T3BDA"
FORMS = {Size.ORIGINAL: b"o" * 3_000_000, Size.PUBLIC: b"p" * 300_000, Size.THUMB: b"t"}


def file(number: str = "a_1", *, owner: str = "web", at: datetime = NOW) -> Attachment:
    return Attachment(number, owner, Kind.JPEG, 3_000_000, 400, 300, at)


@pytest.fixture
async def store(client: Client, database: str) -> GridFSStore:
    store = GridFSStore(client, database)
    await store.prepare()
    return store


async def content(store: GridFSStore, number: str, size: Size) -> bytes | None:
    pieces = await store.read(number, size)
    return None if pieces is None else b"".join([piece async for piece in pieces])


async def counts(client: Client, database: str) -> dict[str, int]:
    names = ("attachments", "attachment_tries", "files.files", "files.chunks")
    return {name: await client[database][name].count_documents({}) for name in names}


async def test_a_file_is_found_again_in_all_its_forms(store: GridFSStore) -> None:
    await store.keep(file(), FORMS)
    assert await store.find(["a_1", "a_2"]) == {"a_1": file()}
    for size, wanted in FORMS.items():
        assert await content(store, "a_1", size) == wanted
    assert await content(store, "a_2", Size.THUMB) is None
    await store.keep(file("a_2"), {Size.ORIGINAL: b"a PDF"})
    assert await content(store, "a_2", Size.PUBLIC) is None


async def test_a_file_kept_twice_is_there_once_with_the_later_time(
    store: GridFSStore, client: Client, database: str
) -> None:
    await store.keep(file(), FORMS)
    before = await counts(client, database)
    await store.keep(file(at=NOW + DAY), FORMS)
    assert await counts(client, database) == before
    assert before["attachment_tries"] == 0
    assert (await store.find(["a_1"]))["a_1"].at == NOW + DAY
    await store.touch("a_1", NOW)
    assert (await store.find(["a_1"]))["a_1"].at == NOW + DAY
    assert await store.touch("a_2", NOW) is None


async def test_files_are_tied_to_requests_by_their_owner_alone(store: GridFSStore) -> None:
    await store.keep(file(), FORMS)
    link = Link(RID, Use.SENT)
    assert not await store.link(["a_1"], "another", link)
    assert (await store.find(["a_1"]))["a_1"].links == ()
    assert await store.link(["a_1"], "web", link)
    assert await store.link(["a_1", "a_1"], "web", link)
    assert await store.link(["a_1"], "web", Link(RID, Use.SHOWN))
    assert (await store.find(["a_1"]))["a_1"].links == (link, Link(RID, Use.SHOWN))
    assert not await store.link(["a_1", "a_2"], "web", link)


async def test_what_belongs_to_no_request_is_swept_with_its_bytes_after_its_day(
    store: GridFSStore, client: Client, database: str
) -> None:
    for number, at in (("a_old", NOW), ("a_tied", NOW), ("a_new", NOW + DAY)):
        await store.keep(file(number, at=at), {Size.ORIGINAL: number.encode()})
    await store.link(["a_tied"], "web", Link(RID, Use.SENT))
    assert await store.sweep(NOW) == 0
    assert await store.sweep(NOW + timedelta(seconds=1)) == 1
    assert set(await store.find(["a_old", "a_tied", "a_new"])) == {"a_tied", "a_new"}
    assert await content(store, "a_tied", Size.ORIGINAL) == b"a_tied"
    assert await counts(client, database) == {
        "attachments": 2,
        "attachment_tries": 0,
        "files.files": 2,
        "files.chunks": 2,
    }


class Died(Exception):
    """
    The process is gone.
    """


NOTHING = {"attachments": 0, "attachment_tries": 0, "files.files": 0, "files.chunks": 0}


@pytest.mark.parametrize("forms", range(3))
async def test_of_a_file_half_kept_when_its_process_died_nothing_is_shown_and_nothing_stays(
    store: GridFSStore, client: Client, database: str, monkeypatch: pytest.MonkeyPatch, forms: int
) -> None:
    done = 0

    async def put(bucket: mongo.Bucket, file_id: str, raw: bytes) -> None:
        nonlocal done
        await mongo.put_file(bucket, file_id, raw)
        if done == forms:
            await client[database]["files.files"].delete_one({"_id": file_id})  # it died with the pieces written
            raise Died
        done += 1

    monkeypatch.setattr(files, "put_file", put)
    with pytest.raises(Died):
        await store.keep(file(), FORMS)
    assert await store.find(["a_1"]) == {}
    assert (await counts(client, database))["files.chunks"] > 0
    await store.sweep(NOW + timedelta(seconds=1))
    assert await counts(client, database) == NOTHING


async def test_of_a_second_try_that_died_before_it_took_its_bytes_back_nothing_stays(
    store: GridFSStore, client: Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: Any) -> None:
        raise Died

    await store.keep(file(at=NOW + DAY), FORMS)
    once = await counts(client, database)
    with monkeypatch.context() as patch:
        patch.setattr(GridFSStore, "_drop_bytes", dies)
        with pytest.raises(Died):
            await store.keep(file(), FORMS)
    await store.sweep(NOW + timedelta(seconds=1))
    assert await counts(client, database) == once
    assert await content(store, "a_1", Size.ORIGINAL) == FORMS[Size.ORIGINAL]
    await store.sweep(NOW + DAY + timedelta(seconds=1))
    assert await counts(client, database) == NOTHING


async def test_a_try_whose_file_is_there_keeps_its_bytes(store: GridFSStore, client: Client, database: str) -> None:
    await store.keep(file(), FORMS)
    await store.link(["a_1"], "web", Link(RID, Use.SENT))
    row = await client[database]["attachments"].find_one({"_id": "a_1"})
    assert row is not None
    await client[database]["attachment_tries"].insert_one({"_id": row["files"], "attachment": "a_1", "at": NOW})
    await store.sweep(NOW + DAY)
    assert await content(store, "a_1", Size.ORIGINAL) == FORMS[Size.ORIGINAL]
    assert (await counts(client, database))["attachment_tries"] == 0


async def test_the_holders_of_a_request_are_those_of_its_parts_too(client: Client, database: str) -> None:
    repository = Repository(client, database)
    cases = {
        RID: "zabita",
        f"{RID}.1": "fen-isleri",
        f"{RID}.12": "temizlik-isleri",
        "7XK29MQ4T3BD9": "another",
        f"{RID}A": "another",
    }
    states = {number: CaseState(1, Status.ASSIGNED, held, "yol-cukur", NOW) for number, held in cases.items()}
    await repository.apply(states, {}, NOW)
    assert await repository.holders(RID) == {"zabita", "fen-isleri", "temizlik-isleri"}
    assert await repository.holders("00000000000ZZ") == frozenset()


# --- all of intake ---


@pytest.fixture
async def intake(infra: Stack, client: Client, database: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    settings = IntakeSettings(
        id_secret="a secret of this test run",
        data_dir=tmp_path,
        database=database,
        kafka=KafkaSettings(bootstrap_servers=infra.env["KAFKA_BOOTSTRAP_SERVERS"]),
        mongo=MongoSettings(uri=infra.env["MONGODB_URI"]),
    )
    await Repository(client, database).add_key(StoredKey(key_hash("all"), "test", frozenset({"*"}), frozenset()), NOW)
    app = create_app(parts_of(settings))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://intake", headers={"X-API-Key": "all"}, timeout=60
        ) as caller,
    ):
        yield caller


async def test_a_file_goes_through_http_to_gridfs_into_a_request_and_back(intake: httpx.AsyncClient) -> None:
    raw = png(500, 400)
    number = (await intake.post("/v1/attachments", files={"file": ("a", raw)})).json()["attachment_id"]
    body = {"channel": "web", "text": "Sokakta çukur var", "attachments": [number]}
    assert (await intake.post("/v1/requests", json=body)).status_code == 202
    assert (await intake.get(f"/v1/attachments/{number}?size=original")).content == raw
    assert (await intake.get(f"/v1/attachments/{number}")).headers["content-type"] == "image/jpeg"


async def test_hostile_files_over_http_have_the_answers_of_the_table(intake: httpx.AsyncClient) -> None:
    some = CASES[::8]  # all of them go through the same code in tests/unit/intake/test_attachments_files.py
    answers: Counter[int] = Counter()
    wrong = []
    for case in some:
        answer = await intake.post("/v1/attachments", files={"file": ("a.jpg", case.make(), "image/jpeg")})
        answers[answer.status_code] += 1
        if isinstance(case.outcome, Kind):
            right = answer.status_code == 201 and answer.json()["media_type"] == case.outcome
        else:
            right = answer.status_code == 422 and case.outcome in answer.text
        if not right:
            wrong.append(f"{case.name}: {answer.status_code} {answer.text[:200]}")
    assert not wrong
    assert answers.total() == len(some)
    assert answers.keys() == {201, 422}
    assert (await intake.post("/v1/attachments", files={"file": ("a", jpeg())})).status_code == 201
