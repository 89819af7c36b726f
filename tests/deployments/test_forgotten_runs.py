"""What Prefect keeps of runs names nobody any more, and is still what Prefect reads."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from connectors.kept_files import Left
from deployments.forgotten_runs import receivers_in_records, said_without, strike_records, without_lines

LINES = "order_ref,receiver_name\nA-1,orders\nA-2,Ann\n"


def test_pasted_lines_lose_the_order_and_the_run_stays_its_batch() -> None:
    """Started again it goes on with the same batch, which was named by the lines."""
    struck = without_lines({"requests": {"lines": LINES, "file": ""}, "batch": "", "yes": True}, "A-1")
    assert struck.parameters["requests"] == {"lines": "order_ref,receiver_name\nA-2,Ann\n", "file": ""}
    assert struck.parameters["batch"].startswith("pasted-lines-")
    assert [one["name"] for one in struck.receivers] == ["orders"]
    other = {"requests": {"lines": LINES}, "batch": "mine", "line": [1], "lines": [2]}
    assert without_lines(other, "A-9").parameters == other


def test_only_values_are_struck() -> None:
    """A name may be a word of Prefect's too: then keys and ids stay."""
    told = {"orders": "of orders", "resource.id": "orders", "n": 1}
    assert json.loads(said_without(json.dumps(told), ["orders"])) == {**told, "orders": "of [forgotten]"}
    assert said_without("no JSON of orders", ["orders"]) == "no JSON of [forgotten]"


def test_a_database_is_struck_where_runs_speak_and_nowhere_else(tmp_path: Path) -> None:
    """What somebody has set up is told; what has no such tables is left alone."""
    records = tmp_path / "prefect.db"
    with closing(sqlite3.connect(records)) as database:
        database.executescript(
            "CREATE TABLE flow_run (id VARCHAR, name VARCHAR, state_type VARCHAR, parameters JSON);"
            "CREATE TABLE log (message TEXT); CREATE TABLE flow (name VARCHAR); CREATE TABLE variable (id, value JSON);"
            "INSERT INTO log VALUES ('for orders'), ('well'); INSERT INTO flow VALUES ('orders');"
            "INSERT INTO variable VALUES ('v1', '\"orders\"');"
        )
        parameters = json.dumps({"requests": {"lines": LINES}, "batch": "b"})
        rows = [("1", "ended", "COMPLETED", parameters), ("2", "planned", "SCHEDULED", parameters)]
        database.executemany("INSERT INTO flow_run VALUES (?, ?, ?, ?)", rows)
        database.commit()
    assert len(receivers_in_records(records, "A-1")) == 2
    told = Left()
    strike_records(records, "A-1", ["orders"], told)
    assert told.struck == ["parameters of run ended", "1 text of prefect.db"]
    assert [words.split(":")[0] for words in told.left] == ["run planned", "variable v1 in Prefect names the receiver"]
    with closing(sqlite3.connect(records)) as database:
        assert database.execute("SELECT message FROM log").fetchall() == [("for [forgotten]",), ("well",)]
        assert database.execute("SELECT name FROM flow").fetchall() == [("orders",)]
    strike_records(tmp_path / "none.db", "A-1", ["orders"], told)
    assert receivers_in_records(tmp_path / "none.db", "A-1") == []
