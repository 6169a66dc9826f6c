"""
What all our pages share: one look, two languages, and how they are served. Workers take words and formats from here
and load no page for it.
"""
