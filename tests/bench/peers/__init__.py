"""
What others would write for the same work. Each module runs alone, ``python -m tests.bench.peers.<name> SERVERS
DECISION``, with the packages of ``.cache/bench-peers`` beside ours (``make bench-tools``), reads requests.received from
now on and writes to ``bench.out``; none of them keeps a state or sees to it that nothing is lost or doubled.
"""
