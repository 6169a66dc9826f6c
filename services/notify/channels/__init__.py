"""
The ways out of the house. Each sender takes a message, an address and a key, and says what became of it.
"""
