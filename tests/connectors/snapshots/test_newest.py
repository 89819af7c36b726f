"""Which rows are the current ones, whatever the snapshots hold, and that a condition is about these."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow.dataset import dataset

from connectors.snapshots.newest import newest_rows
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import TABLES
from tests.connectors.snapshots.sample import AT, order
from tests.everyday import examples

ORDERS = TABLES["orders"]
REFS, STATES = st.sampled_from(["A-1", "A-2", "A-3", "A-4"]), st.sampled_from(["paid", "booked"])
SNAPSHOTS = st.lists(st.tuples(st.integers(0, 2), st.dictionaries(REFS, STATES)), max_size=5)
BY_KEY, BY_STATE = pc.field("order_ref") <= "A-2", pc.field("state") == "paid"
CONDITIONS = {"none": None, "key": BY_KEY, "state": BY_STATE, "both": BY_KEY & BY_STATE}


@settings(max_examples=examples(40))
@given(SNAPSHOTS, st.sampled_from([None, 0, 1]), st.sampled_from([*CONDITIONS]))
def test_the_newest_row_of_each_key_counts_and_is_then_asked(
    snapshots: list[tuple[int, dict[str, str]]], until: int | None, asked: str
) -> None:
    """Against the plainest way: go through all rows, keep the newest of each key, see which meet the condition."""
    newest: dict[str, tuple[int, str, str]] = {}
    history = [ORDERS.schema.empty_table()]
    for number, (hours, rows) in enumerate(snapshots):
        told = {"snapshot_id": f"s-{number}", "snapshot_at": AT + timedelta(hours=hours)}
        history.append(to_arrow(ORDERS, [order(ref, state=state, **told) for ref, state in rows.items()]))
        for ref, state in rows.items():
            if until is None or hours <= until:
                newest[ref] = max(newest.get(ref, (-1, "", "")), (hours, f"s-{number}", state))
    wanted = {
        ref: (state, snapshot_id)
        for ref, (_, snapshot_id, state) in newest.items()
        if (asked not in ("state", "both") or state == "paid") and (asked not in ("key", "both") or ref <= "A-2")
    }

    end = None if until is None else pc.field("snapshot_at") <= AT + timedelta(hours=until)
    columns = ["state", "snapshot_id", "order_ref"]
    found = newest_rows(dataset(history), ORDERS, columns, until=end, where=CONDITIONS[asked])

    assert found.schema == pa.schema([ORDERS.schema.field(name) for name in columns])
    assert found.num_rows == len(wanted)
    assert {row["order_ref"]: (row["state"], row["snapshot_id"]) for row in found.to_pylist()} == wanted
