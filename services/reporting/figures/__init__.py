"""
Figures: a row of facts for each request, a sheet of rows for each local day, and what is asked of all sheets together.
"""
