"""
A real server: a stream without an end ends when the process is asked to stop.
"""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import httpx

from deploy.stack.config import ROOT

APP = """
    import asyncio, socket, sys
    from fastapi import FastAPI, Request
    from fastapi.responses import StreamingResponse
    from services.common.kit.http import serve, stopping
    from services.common.kit.settings import LivenessSettings, LogSettings

    app = FastAPI()

    @app.get("/stream")
    async def stream(request: Request):
        async def pieces():
            yield b"begun"
            while not stopping(request.app):
                await asyncio.sleep(0.01)
            yield b"ended"
        return StreamingResponse(pieces())

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    print(port, flush=True)
    serve(app, "127.0.0.1", port, LogSettings(level="ERROR"), LivenessSettings())
"""


def test_a_stream_ends_by_itself_when_the_process_is_asked_to_stop(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(APP))
    process = subprocess.Popen(
        [sys.executable, script], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{process.stdout.readline().strip()}/stream"
        transport = httpx.HTTPTransport(retries=20)  # until it listens
        with httpx.Client(transport=transport, timeout=30) as http, http.stream("GET", url) as answer:
            pieces = answer.iter_raw()
            assert next(pieces) == b"begun"
            process.send_signal(signal.SIGTERM)
            assert b"".join(pieces) == b"ended"
        assert process.wait(30) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
