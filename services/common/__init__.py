"""
What the services share: `contracts` (what crosses the wire, pure data) and `kit` (how we touch Kafka, MongoDB, logs).
"""
