"""
Tells citizens what became of their requests: one outcome for every message that is due, and no message twice.
"""
