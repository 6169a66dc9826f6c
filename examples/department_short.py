"""
The shortest department: subscribes to its topic and accepts what comes in. (The README's ten lines.)
"""

import datetime
import json
import os

from kafka import KafkaConsumer, KafkaProducer

slug, servers = "zabita", os.environ["KAFKA_BOOTSTRAP_SERVERS"]
inbox = KafkaConsumer(
    f"requests.dept.{slug}", bootstrap_servers=servers, group_id=f"{slug}-own", auto_offset_reset="earliest"
)
outbox = KafkaProducer(bootstrap_servers=servers)
for record in inbox:
    headers, request = {k: v.decode() for k, v in record.headers}, json.loads(record.value)
    if headers["ce_type"].endswith(".RequestAssigned") and request["department"] == slug:
        now, update_id = datetime.datetime.now(datetime.UTC).isoformat(), "accept-" + headers["ce_id"]
        ce = {
            "ce_specversion": "1.0",
            "ce_id": update_id,
            "ce_time": now,
            "ce_source": f"/departments/{slug}",
            "ce_type": "tr.bel.ilkadim.ilkim.UpdateSubmitted",
        }
        body = {"request_id": request["request_id"], "update_id": update_id, "action": "accept", "submitted_at": now}
        outbox.send(
            f"updates.dept.{slug}", json.dumps(body).encode(), record.key, [(k, v.encode()) for k, v in ce.items()]
        )
