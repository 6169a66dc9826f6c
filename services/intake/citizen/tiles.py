"""
Where the map's pictures come from, if from anywhere. Pure.
"""

import re
from dataclasses import dataclass
from typing import Final

_URL: Final = re.compile(r"(https?://[A-Za-z0-9.{}:\[\]-]+)/[^\s\"'<>;,]*")
_PLACES: Final = ("{z}", "{x}", "{y}")


@dataclass(frozen=True, slots=True)
class Tiles:
    """
    A tiles' server: ``url`` such as ``https://tiles.example.org/{z}/{x}/{y}.png``, and whom to name on the map.
    Raises ``ValueError`` for a URL of another form.
    """

    url: str
    attribution: str = ""

    def __post_init__(self) -> None:
        if not _URL.fullmatch(self.url) or not all(place in self.url for place in _PLACES):
            raise ValueError("tile_url must be like https://tiles.example.org/{z}/{x}/{y}.png")

    def policy(self, csp: str) -> str:
        """
        A page's content security policy that lets pictures, and nothing else, come from this server too.
        """
        found = _URL.fullmatch(self.url)
        origin = found[1].replace("{s}", "*") if found else ""
        return csp.replace("img-src 'self'", f"img-src 'self' {origin}")
