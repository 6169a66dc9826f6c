"""
The two ways in which handling can fail with a name. Anything else is a bug or a broken machine: the process stops.
"""


class Rejected(Exception):
    """
    This input can never succeed: it goes to the dead-letter topic with this reason. Holds no personal data.
    """


class Retryable(Exception):
    """
    The world, not the input, is at fault: try again soon.
    """
