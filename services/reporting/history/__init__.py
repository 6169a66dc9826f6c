"""
History: requests that another system kept before, taken over by a mapping file; and invented ones, to try figures on.
"""
