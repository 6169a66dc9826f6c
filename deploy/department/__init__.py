"""
A department on its topics, from the command line: watch its requests live, and answer.
"""
