"""
The least that takes such a request over HTTP: the same body model and server, an answer, nothing kept.

``python -m tests.bench.peers.bare_fastapi PORT``; runs on our own packages.
"""

import sys

import uvicorn
from fastapi import FastAPI

from services.common.contracts.ids import random_request_id
from services.intake.schemas import NewRequest, RequestTaken

app = FastAPI()


@app.post("/v1/requests", status_code=202)
async def take(_: NewRequest) -> RequestTaken:
    """
    A number.
    """
    number = random_request_id()
    return RequestTaken(request_id=number, tracking_url=f"http://127.0.0.1/t/{number}")


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning")
