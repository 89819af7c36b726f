"""The table of operations against the contract's own table."""

from __future__ import annotations

import re
from pathlib import Path

from sandbox.app import OPERATIONS

CONTRACT = Path(__file__).parents[2] / "docs" / "contract" / "assumed-all.md"
ROW = re.compile(
    r"^\| (?:\d+|–) \| [^|]+ \| [^|]+ \| (GET|POST) \| (/\S+) \| \w+ \| (?:yes|no) \|$",
    re.MULTILINE,
)


def test_every_operation_of_the_contract_is_there() -> None:
    """Method and path of all rows that the service answers; the seven callbacks are
    posted by it.
    """
    rows = ROW.findall(CONTRACT.read_text())
    assert len(rows) == 96 - 7 + 6
    assert [path for method, path in rows if method not in OPERATIONS.at(path)] == []


def test_a_path_may_end_in_an_id() -> None:
    """The last part of the path is the operation's parameter; a longer path is another
    operation.
    """
    operation = OPERATIONS.at("/open/order/refund/cancel/42")["GET"]
    assert operation.parameter("/open/order/refund/cancel/42") == {"refundId": "42"}
    assert OPERATIONS.at("/open/order/refund/cancel/42/43") == {}
