"""
One simulated day of the contact centre, seen from outside: citizens, departments, and what must agree at the end.
"""
