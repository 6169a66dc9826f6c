"""
The real parts behind ``Attachments``, for each process that takes files.
"""

from services.common.kit.clock import system_clock
from services.intake.attachments.repository import GridFSStore
from services.intake.attachments.scanner import ClamAV, NoScanner
from services.intake.attachments.service import Attachments, Holders
from services.intake.attachments.workshop import Workshop
from services.intake.guard import Breaker
from services.intake.repository import AWAY
from services.intake.settings import IntakeSettings


def attachments_of(settings: IntakeSettings, files: GridFSStore, holders: Holders) -> Attachments:
    """
    Attachments in the database, looked at in processes of their own, scanned if a scanner is set.
    """
    return Attachments(
        secret=settings.secret,
        store=files,
        workshop=Workshop(),
        scanner=ClamAV(settings.clamav_host, settings.clamav_port) if settings.clamav_host else NoScanner(),
        mongo=Breaker("MongoDB (files)", AWAY, pause=1.0, limit=15.0),
        holders=holders,
        clock=system_clock,
    )
