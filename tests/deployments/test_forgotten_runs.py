"""Pasted lines lose forgotten orders, and a run is still what Prefect reads."""

from __future__ import annotations

from deployments.forgetting import without_lines

LINES = "order_ref,receiver_name\nA-1,Quentin\nA-2,Ann\nA-3,Bo\n"


def test_pasted_lines_lose_the_orders_and_the_run_stays_its_batch() -> None:
    """Started again it goes on with the same batch, which was named by the lines."""
    pasted = {"requests": {"lines": LINES, "file": ""}, "batch": "", "yes": True}
    kept, had = without_lines(pasted, ["A-1", "A-3", "A-9"], {}, [])
    assert kept["requests"] == {
        "lines": "order_ref,receiver_name\nA-2,Ann\n",
        "file": "",
    }
    assert (kept["batch"][:13], had) == ("pasted-lines-", {"A-1", "A-3"})
    other = {"requests": {"lines": LINES}, "batch": "mine", "line": [1], "lines": [2]}
    assert without_lines(other, ["A-9"], {}, []) == (other, set())
