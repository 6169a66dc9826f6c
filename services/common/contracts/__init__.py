"""
What crosses the wire: vocabulary, ids, events, topics and their schemas. Pure data; imports no I/O library.
"""
