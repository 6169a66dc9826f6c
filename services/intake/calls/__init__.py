"""
Telephone calls: what exchanges report, who is to take them, and what becomes of them.
"""
