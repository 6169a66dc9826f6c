"""
What citizens see: the form at ``/`` and the page of a request at ``/t/<number>``.
"""
