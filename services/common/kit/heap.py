"""
What a process has made by the time it serves, it keeps.
"""

import gc
from typing import Final

NEW: Final = 20_000
"""Objects more than were let go, until the collector looks at the young ones; 700 as Python comes."""
OFTEN: Final = 5
"""Looks at the young until one at those that outlived a look: an error's traceback may hold a batch by a cycle."""


def settle() -> None:
    """
    To be called once, when all is made: the cyclic collector never looks at that again, and less often at what is new.
    Else it goes through code, models and tables of a hundred megabytes again and again in the midst of an answer.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW, OFTEN, 20)
