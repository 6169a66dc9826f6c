"""
The table of a run, and what is kept of it.
"""

from tests.bench.figures import Figure
from tests.bench.results import Results, from_json, markdown, to_json

RUN = Results(
    {"processor": "a 486, 1 cores"},
    {
        "routing": [
            Figure("ours", 1234.5, "/s", goal=1000, beside="theirs"),
            Figure("theirs", 2469, "/s"),
            Figure("wait, p50", 21.04, "ms", goal=20),
        ]
    },
    {"routing": ["another peer: nothing came out of it"]},
)


def test_what_is_written_is_read_again() -> None:
    assert from_json(to_json(RUN)) == RUN


def test_the_table_names_the_machine_the_ratio_the_goal_and_who_is_missing() -> None:
    text = markdown(RUN)
    assert "Measured on processor: a 486, 1 cores." in text
    assert "| ours | 1,234 /s | ≥ 1,000 ✓ | theirs | 0.50 |" in text
    assert "| theirs | 2,469 /s |  |  |  |" in text
    assert "| wait, p50 | 21 ms | ≤ 20 ✗ |  |  |" in text
    assert "Not measured: another peer: nothing came out of it" in text
