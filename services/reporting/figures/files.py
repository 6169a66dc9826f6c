"""
A file that is made while it is sent.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import polars as pl
from starlette.responses import StreamingResponse

from services.reporting.figures.tables import Writer


def download(writer: Writer, frames: AsyncIterator[pl.DataFrame], name: str, **headers: str) -> StreamingResponse:
    """
    The frames as a file called ``name``. Nothing is kept: when the reader goes, no further frame is asked for.
    """
    return StreamingResponse(
        _pieces(writer, frames),
        media_type=writer.media_type,
        headers={"Content-Disposition": f'attachment; filename="{name}"', **headers},
    )


def documented(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """
    What OpenAPI says of a route that answers with a file of one of these kinds.
    """
    return {200: {"description": "the file", "content": {kind.partition(";")[0]: {} for kind in media_types}}}


async def _pieces(writer: Writer, frames: AsyncIterator[pl.DataFrame]) -> AsyncIterator[bytes]:
    yield await asyncio.to_thread(writer.begin)
    async for frame in frames:
        if piece := await asyncio.to_thread(writer.rows, frame):
            yield piece
    yield await asyncio.to_thread(writer.end)
