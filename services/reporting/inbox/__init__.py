"""
Where a department and the desk work: the inbox, one request with everything that can be done with it, and triage.
"""
