"""
A Faust agent as its documentation shows it: one event at a time, acknowledged by Faust.
"""

from typing import Any

import faust

from tests.bench.peers.decisions import OUT, SOURCE, arguments


def main() -> None:
    """
    Run until SIGTERM.
    """
    servers, decide, group = arguments()
    app = faust.App(
        group,
        broker=[f"kafka://{server}" for server in servers.split(",")],
        consumer_auto_offset_reset="latest",
        producer_acks=-1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        store="memory://",
        web_enabled=False,
        worker_redirect_stdouts=False,
        value_serializer="raw",
        key_serializer="raw",
    )
    source = app.topic(SOURCE, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")
    out = app.topic(OUT, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(source)
    async def route(stream: Any) -> None:
        async for event in stream.events():
            message = event.message
            for key, value, headers in decide(message.key, message.value, list(message.headers or ())):
                await out.send(key=key, value=value, headers=list(headers))

    faust.Worker(app, loglevel="WARNING", redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    main()
