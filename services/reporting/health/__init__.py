"""
How the system is, for administrators: processes, Kafka, dead letters, senders, requests that nobody touches.
"""
