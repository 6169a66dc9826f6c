"""
Measurements that need a stack that is up; each prints its figures and the load under which they were taken.
"""
