"""
The sender for development: one JSON file a message, as a provider would have got it.
"""

import asyncio
import json
import os
from pathlib import Path

from services.common.contracts.vocabulary import NotifyVia
from services.notify.messages import Message


class FileSender:
    """
    Writes ``<folder>/<channel>/<key>.json``, whole or not at all; a repeat writes the same file again.
    """

    def __init__(self, folder: Path, channel: NotifyVia) -> None:
        self._folder = folder / channel
        self._channel = channel

    async def send(self, to: str, message: Message, key: str) -> str | None:
        """
        Write the file, readable by its owner alone.
        """
        body = {"channel": self._channel, "to": to, "text": message.short}
        if self._channel is NotifyVia.EMAIL:
            body |= {"subject": message.subject, "text": message.text}
        await asyncio.to_thread(self._write, key, json.dumps(body, ensure_ascii=False, indent=1) + "\n")
        return key

    def _write(self, key: str, text: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        draft = self._folder / f".{key}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(text, encoding="utf-8")
        draft.replace(self._folder / f"{key}.json")

    async def close(self) -> None:
        """
        Nothing to let go of.
        """
