"""
Where our pages are, whichever service shows the link.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit


@dataclass(frozen=True, slots=True)
class Links:
    """
    Addresses as a browser has to use them. ``intake``, ``reporting`` and ``notify`` are the public URLs of the services
    with pages (without a slash at the end); behind one host name they may be the same. Notify's is left out where
    nobody looks at messages before they are sent.
    """

    intake: str
    reporting: str
    notify: str | None = None

    def __post_init__(self) -> None:
        for name in ("intake", "reporting", "notify"):
            url = getattr(self, name)
            if name == "notify" and not url:
                continue
            if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).netloc or url.endswith("/"):
                raise ValueError(f"{name}: {url!r} is not like https://example.org (no slash at the end)")

    @property
    def desk(self) -> str:
        """
        The operator's desk.
        """
        return f"{self.intake}/console"

    @property
    def callbacks(self) -> str:
        """
        Who is to be called back.
        """
        return f"{self.intake}/console/callbacks"

    @property
    def triage(self) -> str:
        """
        Requests that nobody could place yet.
        """
        return f"{self.reporting}/triage"

    @property
    def panel(self) -> str:
        """
        Figures for those who lead.
        """
        return f"{self.reporting}/panel"

    @property
    def open_data(self) -> str:
        """
        What everybody may have of the figures.
        """
        return f"{self.reporting}/acik-veri"

    @property
    def users(self) -> str:
        """
        Who may work here.
        """
        return f"{self.reporting}/users"

    @property
    def audit(self) -> str:
        """
        Who looked at what.
        """
        return f"{self.reporting}/audit"

    @property
    def health(self) -> str:
        """
        How the system is.
        """
        return f"{self.reporting}/health"

    @property
    def previews(self) -> str | None:
        """
        All messages as their readers see them.
        """
        return f"{self.notify}/previews" if self.notify else None

    @property
    def sign_in(self) -> str:
        """
        The sign-in page.
        """
        return f"{self.reporting}/sign-in"

    @property
    def account(self) -> str:
        """
        One's own password.
        """
        return f"{self.reporting}/account"

    @property
    def sign_out(self) -> str:
        """
        Where the sign-out form goes (POST).
        """
        return f"{self.reporting}/sign-out"

    def inbox(self, department: str) -> str:
        """
        The inbox of a department (its slug).
        """
        return f"{self.reporting}/department/{quote(department, safe='')}"

    def renew(self, back_to: str) -> str:
        """
        Renews the token and comes back to an absolute URL of ours.
        """
        return f"{self.reporting}/session/renew?next={quote(back_to, safe='')}"

    @property
    def origins(self) -> tuple[str, ...]:
        """
        Our own origins, sorted: the only ones beside ``'self'`` that a form may reach.
        """
        urls = filter(None, (self.intake, self.reporting, self.notify))
        return tuple(sorted({f"{urlsplit(url).scheme}://{urlsplit(url).netloc}" for url in urls}))
