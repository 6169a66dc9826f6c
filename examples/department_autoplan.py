"""
A small department of its own: plans what comes in by weekday, and settles it the day after.

Needs kafka-python alone and nothing of this project: it shows what stands on the wire. Monday to Thursday is planned
for the day after, the rest for Monday. ``DAY_SECONDS`` says how long a day lasts here. Start it twice, kill it, start
it again: update ids derive from the event that is answered, so each answer has one effect.
"""

import json
import os
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from kafka import KafkaConsumer, KafkaProducer

SLUG = os.environ.get("DEPARTMENT", "park-bahceler")
SERVERS = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:8092").split(",")
DAY = float(os.environ.get("DAY_SECONDS", "5"))
DAYS = ("Pazartesi", "Salı", "Çarşamba", "Perşembe", "Cuma", "Cumartesi", "Pazar")


def answer(producer: KafkaProducer, request: dict, cause: str, action: str, text: str, **more: str) -> None:
    now = datetime.now(UTC).isoformat()
    update_id = sha256(f"{cause} {action}".encode()).hexdigest()[:32]
    body = {"request_id": request["request_id"], "update_id": update_id, "action": action, "submitted_at": now}
    headers = {"ce_specversion": "1.0", "ce_type": "tr.bel.ilkadim.ilkim.UpdateSubmitted", "ce_id": update_id,
               "ce_source": f"/departments/{SLUG}", "ce_time": now, "ce_subject": request["request_id"],
               "causation-id": cause, "content-type": "application/json"}  # fmt: skip
    producer.send(
        f"updates.dept.{SLUG}",
        key=request["request_id"].encode(),
        value=json.dumps(body | {"note_public": text} | more).encode(),
        headers=[(name, value.encode()) for name, value in headers.items()],
    ).get(timeout=30)
    print(f"{request['request_id']} {action}: {text}", flush=True)


consumer = KafkaConsumer(f"requests.dept.{SLUG}", bootstrap_servers=SERVERS, group_id=f"{SLUG}-autoplan",
                         auto_offset_reset="earliest", enable_auto_commit=False,
                         session_timeout_ms=10_000)  # fmt: skip
producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all")
to_settle: list[tuple[float, dict, str]] = []
while True:
    for record in (one for batch in consumer.poll(timeout_ms=200).values() for one in batch):
        headers = {name: value.decode() for name, value in record.headers}
        request = json.loads(record.value)
        if not headers["ce_type"].endswith(".RequestAssigned") or request["department"] != SLUG:
            continue
        start = datetime.fromisoformat(request["occurred_at"])
        day = start + timedelta(days=1 if start.weekday() < 4 else 7 - start.weekday())
        answer(producer, request, headers["ce_id"], "accept", f"{DAYS[day.weekday()]} günü programa alındı.")
        to_settle.append((time.monotonic() + DAY, request, headers["ce_id"]))
    while to_settle and to_settle[0][0] <= time.monotonic():
        _, request, cause = to_settle.pop(0)
        answer(producer, request, cause, "resolve", "Ekibimiz işi tamamladı.", outcome="resolved")
    if not to_settle:
        consumer.commit()  # behind what is settled: after a kill the rest comes again
