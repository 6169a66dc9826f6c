"""
Mail comes in: read, understood, kept; over SMTP or LMTP.
"""
