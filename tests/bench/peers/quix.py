"""
Quix Streams, a streaming dataframe over librdkafka, with its at-least-once default.
"""

from typing import Any

from quixstreams import Application

from tests.bench.peers.decisions import OUT, SOURCE, Out, arguments


def main() -> None:
    """
    Run until SIGTERM.
    """
    servers, decide, group = arguments()
    app = Application(
        broker_address=servers,
        consumer_group=group,
        auto_offset_reset="latest",
        auto_create_topics=False,
        loglevel="WARNING",
    )
    source = app.topic(SOURCE, key_deserializer="bytes", value_deserializer="bytes")
    out = app.topic(OUT, key_serializer="bytes", value_serializer="bytes")

    def decided(value: bytes, key: bytes, _time: int, headers: Any) -> list[Out]:
        return list(decide(key, value, headers or ()))

    frame = app.dataframe(source).apply(decided, expand=True, metadata=True)
    frame = frame.set_headers(lambda one, *_: list(one[2]))
    frame.apply(lambda one: one[1]).to_topic(out)
    app.run()


if __name__ == "__main__":
    main()
