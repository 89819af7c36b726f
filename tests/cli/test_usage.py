"""What is refused as bad usage, and what is answered from an empty ledger."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from socket import socket

import pytest

from cli.main import refs_last
from tests.cli.conftest import Sourcing
from tests.running import ROOT

EXAMPLE = ROOT / "examples" / "requests.csv"


def test_without_a_terminal_a_run_needs_yes(sourcing: Sourcing, tmp_path: Path) -> None:
    """Nobody can be asked, so nothing begins: not even a data folder is made."""
    done = sourcing("run", EXAMPLE)
    assert (done.exit_code, done.stderr) == (
        2,
        "sourcing: there is no terminal to approve the plan at: add --yes, or --dry-run to look only\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named_before_the_missing_terminal(
    sourcing: Sourcing,
) -> None:
    done = sourcing("run", "no-such.csv")
    assert (done.exit_code, "no-such.csv" in done.stderr) == (2, True)


def test_a_sandbox_that_is_not_started_is_not_waited_for(
    sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setattr("connectors.xportcn.settings.SANDBOX_URL", address)
        monkeypatch.setenv("XPORTCN_BASE_URL", address)
        done = sourcing("run", EXAMPLE, "--yes")
    assert (done.exit_code, done.stderr) == (
        1,
        f"sourcing: no sandbox listens at {address}: start it with `sourcing sandbox`\n",
    )


@pytest.mark.parametrize(
    "budget", ["", "lots", "-5", "0", "NaN", "1,000", "9.999", "1e3"]
)
def test_a_budget_must_be_an_amount(sourcing: Sourcing, budget: str) -> None:
    """A budget that can't be understood is never taken for no budget."""
    done = sourcing("run", EXAMPLE, "--yes", "--budget-cny", budget)
    assert done.exit_code == 2
    assert done.stderr.startswith("sourcing: --budget-cny ")
    assert budget in done.stderr


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("resolve -1001 not-paid", "resolve -- -1001 not-paid"),
        ("drop -1 A-2 -3b", "drop -- -1 A-2 -3b"),
        ("call -1001 Where? --confirm", "call --confirm -- -1001 Where?"),
        ("cancel -12 --yes --json", "cancel --yes --json -- -12"),
        ("drop -- -1 -2", "drop -- -1 -2"),
        ("run FILE --budget-cny -5 -y", "run FILE --budget-cny -5 -y"),
    ],
)
def test_a_reference_that_begins_with_a_dash_is_none_of_the_options(
    given: str, read: str
) -> None:
    """As in the commands that `sourcing todo` and the reasons name."""
    assert " ".join(refs_last(given.split())) == read


def test_a_bad_setting_is_named_in_one_line(
    sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its variable, what it holds and what belongs there; exit code 1."""
    monkeypatch.setenv("SOURCING_DAY_LIMIT_CNY", "abc")
    line = "SOURCING_DAY_LIMIT_CNY: 'abc' is not an amount in yuan, such as 1500 or 99.50; leave it empty for no limit"
    for command in ("status", "doctor"):
        done = sourcing(command)
        assert (done.exit_code, done.stderr) == (1, f"sourcing: {line}\n"), command


@pytest.mark.parametrize(
    "option",
    [("--chunk-size", "0"), ("--concurrency", "201"), ("--chunk-size", "many")],
)
def test_an_option_out_of_range_is_bad_usage(
    sourcing: Sourcing, option: tuple[str, str]
) -> None:
    """The option is named."""
    done = sourcing("run", EXAMPLE, "--yes", *option)
    assert (done.exit_code, option[0] in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            ("booked", "21"),
            "the whole answer is: booked SHIPMENT_ORDER_ID --tracking NUMBER. Nothing was written",
        ),
        (
            ("not-booked", "--tracking", "LP1"),
            "the whole answer is: not-booked. Nothing was written",
        ),
        (
            ("paid", "0"),
            "mend the amount: '0' is not above 0. Nothing was sent",
        ),
        (
            ("paid", "9.90", "--up-to", "9.90"),
            "the whole answer is: paid AMOUNT_CNY. Nothing was written",
        ),
    ],
)
def test_resolve_takes_one_whole_answer(
    sourcing: Sourcing, answers: tuple[str, ...], words: str
) -> None:
    """Neither half an answer nor two that contradict each other."""
    done = sourcing("resolve", "A-1", *answers)
    assert (done.exit_code, done.stderr) == (2, f"sourcing: {words}\n")


@pytest.mark.usefixtures("empty_ledger")
@pytest.mark.parametrize(
    "answer", [(), ("booked", "21", "--tracking", "LP1"), ("came-back", "0")]
)
def test_resolve_of_an_unknown_order(
    sourcing: Sourcing, answer: tuple[str, ...]
) -> None:
    """Exit code 1, and where to look."""
    done = sourcing("resolve", "A-1", *answer)
    assert (done.exit_code, done.stderr) == (
        1,
        "sourcing: no order A-1 in the ledger; see all with: sourcing status\n",
    )


@pytest.mark.usefixtures("empty_ledger")
def test_status_of_an_empty_ledger(sourcing: Sourcing) -> None:
    """It says how to begin."""
    done = sourcing("status")
    assert (done.exit_code, done.stdout) == (
        0,
        "No orders yet. Begin with: sourcing run FILE\n",
    )


@pytest.mark.usefixtures("empty_ledger")
def test_status_of_an_unknown_order(sourcing: Sourcing) -> None:
    """Exit code 1, and where all orders are."""
    done = sourcing("status", "A-1")
    assert (done.exit_code, done.stderr) == (
        1,
        "sourcing: no order A-1 in the ledger; see all with: sourcing status\n",
    )


def test_a_ledger_that_cannot_be_used_is_named(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1 and the remedy, not a traceback."""
    (tmp_path / "ledger.db").write_text("no database, only words")
    monkeypatch.setenv("SOURCING_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    done = sourcing("status")
    assert done.exit_code == 1
    assert "restore a backup: sourcing ledger restore FILE" in done.stderr


def test_sql_before_the_first_snapshot(sourcing: Sourcing) -> None:
    """The tables are there, and empty."""
    done = sourcing("sql", "select count(*) as n from orders", "--json")
    assert (done.exit_code, done.stdout) == (0, '[\n  {\n    "n": 0\n  }\n]\n')


def test_sql_only_reads(sourcing: Sourcing) -> None:
    """Exit code 1 for a statement that would change something."""
    assert sourcing("sql", "drop view orders").exit_code == 1
