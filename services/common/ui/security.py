"""
The headers that keep a page to itself.
"""

from typing import Final

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(self), microphone=()",
}


def policy(origins: tuple[str, ...]) -> str:
    """
    The content security policy. ``origins`` are our own services on other ports: the sign-out form goes there, and a
    sign-in comes back from there.
    """
    if not origins:
        return POLICY
    return POLICY.replace("form-action 'self'", f"form-action 'self' {' '.join(origins)}")
