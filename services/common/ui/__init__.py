"""
What all our pages share: one look, two languages, and how they are served.
"""

from services.common.ui.links import Links
from services.common.ui.navigation import navigation
from services.common.ui.pages import Pages, PagesOf, install_pages

__all__ = ["Links", "Pages", "PagesOf", "install_pages", "navigation"]
