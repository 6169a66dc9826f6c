"""
What runs the system: the local stack, the topics on the broker, the development mail sink.
"""
