"""
Every metric by name. The names are a contract (README lists them); labels hold no personal data.
"""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

events_handled_total = Counter(
    "events_handled_total", "Records consumed, by outcome ok or dead_letter", ["topic", "outcome"]
)
handle_seconds = Histogram("handle_seconds", "Time to handle one batch", buckets=_SECONDS)
batch_records = Histogram("batch_records", "Records in one batch", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500))
retries_total = Counter("retries_total", "Batches, and other steps, tried again because something outside was away")
consumer_lag = Gauge("consumer_lag", "Records not yet committed, asked from the broker", ["topic", "partition"])
read_ahead = Gauge("read_ahead", "Records read from Kafka and not yet acknowledged")
events_published_total = Counter("events_published_total", "Records acknowledged by Kafka", ["topic"])
publish_failures_total = Counter("publish_failures_total", "Records that Kafka did not acknowledge", ["topic"])
http_requests_total = Counter("http_requests_total", "HTTP answers", ["method", "route", "status"])
http_seconds = Histogram("http_seconds", "Time to answer", ["method", "route"], buckets=_SECONDS)
notify_provider_up = Gauge(
    "notify_provider_up", "0 while a channel's provider is left alone because it fails", ["channel"]
)
notifications_total = Counter("notifications_total", "Outcomes of messages", ["transition", "channel", "outcome"])
notifications_unknown_total = Counter(
    "notifications_unknown_total", "Tries at a message of which nobody knows what became", ["channel"]
)
reports_total = Counter("reports_total", "What providers reported of our messages", ["status"])
calls_total = Counter("calls_total", "Telephone calls that are over: answered, missed or cancelled", ["outcome"])
inbound_total = Counter(
    "inbound_total",
    "What came in on a conversation channel: kind of message, status, or why it is not taken",
    ["channel", "outcome"],
)
mails_total = Counter(
    "mails_total",
    "Mails that came in: letter, auto_reply, bounce, loop, refused, or later (not taken now)",
    ["outcome"],
)
conversations_total = Counter(
    "conversations_total", "What followed from conversations: request, update, saying, broken", ["channel", "outcome"]
)
parked = Gauge("parked", "What waits for something that has not arrived yet")
spool_entries = Gauge("spool_entries", "Inputs in intake's spool, accepted and not yet acknowledged by Kafka")
spool_bytes = Gauge("spool_bytes", "What intake's spool takes of the disk")
spool_oldest_seconds = Gauge("spool_oldest_seconds", "How long the oldest input has been in intake's spool")
breaker_open = Gauge("breaker_open", "1 while intake does not reach Kafka and keeps all in its spool")
model_decisions_total = Counter(
    "model_decisions_total", "What the classifier said: decided, abstained, and danger beside either", ["outcome"]
)
model_confidence = Histogram(
    "model_confidence", "How sure the classifier was of its best candidate", buckets=[n / 10 for n in range(1, 11)]
)
model_shadow_total = Counter("model_shadow_total", "A second classifier, asked beside: agrees or differs", ["outcome"])
projection_lag_seconds = Gauge("projection_lag_seconds", "How far reporting is behind")
spool_limit_bytes = Gauge("spool_limit_bytes", "How much of the disk intake's spool may take")
disk_free_bytes = Gauge("disk_free_bytes", "What is free on the disk on which something is kept", ["keeps"])
unattended_seconds = Gauge(
    "unattended_seconds",
    "How long something has been waiting for a duty of this process and nothing was done",
    ["duty"],
)
stuck = Gauge("stuck", "1 while this process gets on with nothing although something waits: it ends itself soon")
stopped = Gauge("stopped", "1 while a worker stands still after too many dead letters, until a person restarts it")
dependency_up = Gauge("dependency_up", "1 while this process reaches what it stands on: kafka, mongodb", ["name"])
alarm_late_seconds = Gauge(
    "alarm_late_seconds", "How late the latest of the alarms that have not gone off is", ["timer"]
)
clock_jumps_total = Counter("clock_jumps_total", "How often the computer's clock was set while this process ran")

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST


def render() -> bytes:
    """
    The text that Prometheus scrapes.
    """
    return generate_latest()
