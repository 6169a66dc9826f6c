"""
SMS that citizens write: from a gateway's webhook, or fetched from its inbox.
"""
