"""
Intake: takes requests and departments' updates over HTTP, gives each a number, and keeps them before it says yes.
"""
