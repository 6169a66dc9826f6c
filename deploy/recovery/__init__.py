"""
What keeps the system's state beside it, brings it back, and says whether its parts agree. The commands are
``deploy.backup``, ``deploy.restore``, ``deploy.ledger`` and ``deploy.verify``.
"""
