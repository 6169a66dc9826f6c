"""
The page of figures for those who work here: tiles that keep themselves true, charts, and the lists behind them.
"""
