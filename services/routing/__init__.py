"""
Routing: assigns each request to a department and keeps its life in order. Sole writer of requests.lifecycle.

Where to look: ``domain`` (what becomes of an input) with ``case``, ``moves``, ``families``, ``timing``, ``meanwhile``;
``choosing`` (who gets it) with ``rules…`` (what operators wrote), ``places``, ``urgency``, and the classifier:
``features``, ``classifier``, ``opinions`` at work, ``train``, ``corrections``, ``drift`` around it, ``classify`` and
``classify_api`` for who asks. ``policy`` and ``clocks`` say when. ``handler`` and ``repository`` are the edge.
"""
