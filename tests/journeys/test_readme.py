"""The guide's examples after `make run`, typed as they stand there, in their order."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from contextlib import nullcontext
from contextvars import copy_context
from pathlib import Path
from unittest.mock import patch

import pytest

from examples import try_out
from tests.running import ROOT, Merchant, RunningSandbox

DAY_S = 86_400


def typed(heading: str) -> list[list[str]]:
    """The lines of the commands under a heading, as the shell would split them."""
    section = (
        (ROOT / "docs/guide.md")
        .read_text(encoding="utf-8")
        .split(f"## {heading}\n")[1]
        .split("\n## ")[0]
    )
    blocks = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return [
        shlex.split(line, comments=True)
        for block in blocks
        for line in block.splitlines()
    ]


def type_in(merchant: Merchant, words: Sequence[str]) -> None:
    """Run one of the commands; fails where it was used wrongly or could not run."""
    if words[0] == "curl":
        assert words[-1].endswith("/_sandbox/clock")
        merchant.sandbox.control("POST", "clock", {"advance_s": DAY_S})
        return
    done = merchant.sourcing(*words[1:])
    assert done.exit_code in (0, 3), (words, done.stderr, done.exception)


@pytest.fixture
def tried_out(
    merchant: Merchant,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Merchant:
    """A merchant after `make run`, which is played here with the sandbox of the tests,
    in the folder of the project.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        try_out, "sandbox", lambda _state: nullcontext(merchant.sandbox.url)
    )
    with patch.dict(os.environ, merchant.environment, clear=True):
        copy_context().run(try_out.main)
    assert "Orders of examples/requests.csv" in capsys.readouterr().out
    return merchant


def test_make_run_starts_its_own_sandbox_with_its_books_in_a_file(
    tmp_path: Path,
) -> None:
    assert "$(BIN)/python -m examples.try_out\n" in (ROOT / "Makefile").read_text()
    with (
        patch.dict(os.environ),
        try_out.sandbox(tmp_path / "data" / "sandbox.db") as address,
    ):
        assert RunningSandbox(address).control("GET", "health") == {"ok": True}
        assert os.environ["XPORTCN_BASE_URL"] == address
    assert (tmp_path / "data" / "sandbox.db").exists()


def test_the_try_out_leaves_the_ledger_of_a_real_account_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would belong to the sandbox for good."""
    monkeypatch.setenv("XPORTCN_BASE_URL", "https://service.example/api")
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path / "live"))
    with pytest.raises(SystemExit, match=r"SOURCING_DATA_DIR=try-out make run$"):
        try_out.main()
    assert not (tmp_path / "live").exists()


def test_make_clean_leaves_the_data_folder_and_its_ledger() -> None:
    assert (
        "data" not in (ROOT / "Makefile").read_text().partition("\nclean:\n")[2].split()
    )


def test_the_way_from_the_try_out_to_orders_taken_back(tried_out: Merchant) -> None:
    """One order is cancelled while the seller still has it, the goods of a delivered
    one are sent back.
    """
    for text in typed("Taking orders back"):
        type_in(tried_out, text)
    refunds = tried_out.report(
        "sql", "select order_ref, state from refunds order by order_ref"
    )
    assert refunds == [
        {"order_ref": "DE-2001", "state": "returned"},
        {"order_ref": "US-1002", "state": "refunded"},
    ]
