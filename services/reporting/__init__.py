"""
Reporting: keeps every public event, one document per request, and answers the dashboards' questions.
"""
