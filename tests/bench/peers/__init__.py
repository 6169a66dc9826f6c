"""
What others would write for the same work. Each module runs alone, ``python -m tests.bench.peers.<name> SERVERS
DECISION``, in ``.cache/bench-venv`` (``make bench-tools``), reads requests.received from now on and writes to
``bench.out``; none of them keeps a state or sees to it that nothing is lost or doubled.
"""
