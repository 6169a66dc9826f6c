"""
The sender for development: one JSON file a message, as a provider would have got it.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import orjson

from services.common.contracts.vocabulary import NotifyVia
from services.notify.channels.base import Letter

_FORM: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE  # json's own indenting makes cyclic garbage of each file


class FileSender:
    """
    Writes ``<folder>/<channel>/<key>.json``, whole or not at all; a repeat writes the same file again.
    """

    def __init__(self, folder: Path, channel: NotifyVia) -> None:
        self._folder = folder / channel
        self._channel = channel

    async def send(self, letter: Letter, /) -> str | None:
        """
        Write the file, readable by its owner alone.
        """
        message = letter.message
        body: dict[str, Any] = {"channel": self._channel, "to": letter.to, "text": message.short}
        if self._channel is NotifyVia.EMAIL:
            body |= {"subject": message.subject, "text": message.text}
        if message.choices:
            body["choices"] = [{"id": choice.id, "title": choice.title} for choice in message.choices]
        await asyncio.to_thread(self._write, letter.key, orjson.dumps(body, option=_FORM))
        return letter.key

    def _write(self, key: str, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{key}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_bytes(content)
        draft.replace(self._folder / f"{key}.json")

    async def close(self) -> None:
        """
        Nothing to let go of.
        """
