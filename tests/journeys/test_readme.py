"""The README's examples after `make run`, typed as they stand there, in their order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

import pytest

from tests.running import ROOT, Merchant

DAY_S = 86_400
EXAMPLES = ROOT / "examples"


def typed(heading: str) -> list[list[str]]:
    """The lines of the commands under a heading, as the shell would split them."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split(f"### {heading}\n")[1].split("\n### ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


def type_in(merchant: Merchant, words: Sequence[str]) -> None:
    """Run one of the commands; fails where it was used wrongly or could not run."""
    if words[0] == "curl":
        assert words[-1].endswith("/_sandbox/clock")
        merchant.sandbox.control("POST", "clock", {"advance_s": DAY_S})
        return
    done = merchant.sourcing(*words[1:], *(["--yes"] if words[1:3] == ["cart", "order"] else []))
    assert done.exit_code in (0, 3), (words, done.stderr, done.exception)


@pytest.fixture
def tried_out(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Merchant:
    """A merchant after `make run`, in the folder of the project."""
    monkeypatch.chdir(ROOT)
    merchant.sourcing("run", EXAMPLES / "requests.csv", "--yes")
    for _ in range(5):
        merchant.sandbox.advance(3 * DAY_S)
        merchant.sourcing("track")
    return merchant


def test_the_way_from_the_try_out_to_orders_taken_back(tried_out: Merchant) -> None:
    """One order is cancelled while the seller still has it, the goods of a delivered one are sent back."""
    for words in typed("Taking orders back"):
        type_in(tried_out, words)
    refunds = tried_out.report("sql", "select order_ref, state from refunds order by order_ref")
    assert refunds == [{"order_ref": "DE-2001", "state": "returned"}, {"order_ref": "US-1002", "state": "refunded"}]


def test_the_way_through_the_carts(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was laid into the cart and changed there is ordered, paid and booked."""
    monkeypatch.chdir(ROOT)
    for words in typed("Carts"):
        rows = merchant.report("cart", "list", "taobao") if "ROW" in words else []
        type_in(merchant, [rows[0]["row_id"] if word == "ROW" else word for word in words])
    assert merchant.report("sql", "select state from orders where order_ref = 'US-1003'") == [{"state": "booked"}]
    assert merchant.report("sql", "select quantity from order_lines where order_ref = 'US-1003'") == [{"quantity": 3}]
