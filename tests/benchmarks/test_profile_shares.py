"""Whose time a sampled stack is."""

from __future__ import annotations

import pytest

from benchmarks.profile_shares import part_of


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        (
            "run (cli/main.py:61);_find_and_load (<frozen importlib._bootstrap>:1176);x (prefect/flows.py:1)",
            "imports",
        ),
        (
            "work (tasks/pay.py:40);visit_collection (prefect/utilities/collections.py:5);eq (domain/money.py:1)",
            "walk",
        ),
        (
            "run (prefect/task_engine.py:9);work (tasks/pay.py:40);record (connectors/ledger/store.py:2)",
            "ledger",
        ),
        (
            "record (connectors/ledger/store.py:2);execute (sqlalchemy/engine/base.py:1)",
            "ledger",
        ),
        (
            "run_once (asyncio/base_events.py:1);data_received (aiohttp/client_proto.py:1)",
            "HTTP",
        ),
        ("<module> (x.py:1)", "other"),
    ],
)
def test_a_sample_is_the_innermost_part_s_that_we_know(stack: str, part: str) -> None:
    """What a library does counts for its caller; imports and Prefect's walks take all
    that is inside them.
    """
    assert part in part_of(stack)
