"""
Telephone calls: what became of each, and the figures of a span of days.
"""
