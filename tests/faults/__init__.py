"""
Suites that kill processes under load and then count, and the checker that both their long and short forms use.
"""
