"""
Where a page comes from, as browsers tell it. Settings are checked with it too, so it stands apart from ``guard``.
"""

from urllib.parse import urlsplit


def origin_of(url: str) -> str:
    """
    The origin of an absolute URL, as a browser writes it in ``Origin``.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()
