"""
Tells citizens what becomes of their requests, and staff when time runs out: one outcome for every message that is due,
and no message twice.
"""
