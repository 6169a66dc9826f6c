"""
The life of a request in words and in a picture: ``lifecycle.md`` and ``lifecycle.svg``, written from the code.
"""
