"""
Routing: assigns each request to a department and keeps its life in order. Sole writer of requests.lifecycle.
"""
