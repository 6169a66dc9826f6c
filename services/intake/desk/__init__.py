"""
The operator's desk: the pages on which somebody who answers the telephone registers what citizens say.
"""
