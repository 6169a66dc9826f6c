"""
Requests that another system hands over as a file: CİMER's export, a social media desk, a partner.
"""
