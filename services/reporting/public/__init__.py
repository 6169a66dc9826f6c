"""
What everybody may see of citizens' requests: Open311, the tracking page and the map read it, without a key.
"""
