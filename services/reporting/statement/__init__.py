"""
The monthly statement: what the contact centre publishes of a month, as figures, as a page and on one sheet of paper.
"""
