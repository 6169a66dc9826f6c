"""
Style sheets, scripts and pictures of our pages: held in memory, under an address that changes with their content.
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request, Response

FOREVER: Final = "public, max-age=31536000, immutable"
TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    packed: bytes | None
    media_type: str


class Assets:
    """
    The files of some folders. All stand under one version (a hash of everything), so that modules may import each other
    by plain relative names. The same name in two folders is refused.
    """

    def __init__(self, folders: list[Path]) -> None:
        self._files: dict[str, _Asset] = {}
        digest = hashlib.sha256()
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if not path.is_file():
                    continue
                name = path.relative_to(folder).as_posix()
                if name in self._files:
                    raise ValueError(f"{path}: another folder already has a file of this name")
                self._files[name] = _read(path)
                digest.update(f"{name}\0{len(self._files[name].body)}\0".encode() + self._files[name].body)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """
        The address of a file. Raises ``KeyError`` for a name that is not there.
        """
        if name not in self._files:
            raise KeyError(f"no static file {name!r}; there are {', '.join(sorted(self._files))}")
        return f"/static/{self.version}/{name}"

    def answer(self, request: Request, version: str, name: str) -> Response:
        """
        The file. Under an old version (a page loaded before a new release) it is the present one, not to be kept.
        """
        asset = self._files.get(name)
        if asset is None:
            return Response(status_code=404)
        headers = {"cache-control": FOREVER if version == self.version else "no-cache", "vary": "accept-encoding"}
        body = asset.body
        if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body = asset.packed
            headers["content-encoding"] = "gzip"
        return Response(body, media_type=asset.media_type, headers=headers)


def _read(path: Path) -> _Asset:
    body = path.read_bytes()
    media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = gzip.compress(body, mtime=0) if media_type.startswith("text/") or path.suffix in TYPES else None
    return _Asset(body, packed, media_type)
