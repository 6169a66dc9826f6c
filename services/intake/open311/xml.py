"""
JSON's shapes as GeoReport's XML: the opposite of the Spark mapping. Pure, and it writes only what XML 1.0 allows.
"""

import re
from typing import Any, Final
from xml.sax.saxutils import escape

HEAD: Final = '<?xml version="1.0" encoding="utf-8"?>\n'
ITEMS: Final = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "service_request_updates": "request_update",
    "errors": "error",
    "endpoints": "endpoint",
    "formats": "format",
    "media_urls": "media_url",
    "notes": "note",
}
"""What one child of a list is called."""
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME: Final = re.compile(r"[a-z_]+")


def document(root: str, value: Any) -> str:
    """
    The document whose root element holds the value: an object's fields as elements, a list's items each as the element
    that ``ITEMS`` names, None as an empty element. Characters that XML cannot hold become U+FFFD.
    """
    return HEAD + _element(root, value)


def _element(name: str, value: Any) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("an element's name is a name of ours")
    inner = _inner(name, value)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def _inner(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return "".join(_element(key, item) for key, item in value.items())
        case list():
            return "".join(_element(ITEMS[name], item) for item in value)
        case _:
            return escape(_FORBIDDEN.sub("\ufffd", str(value)), {"\r": "&#13;"})
