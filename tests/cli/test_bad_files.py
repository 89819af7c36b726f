"""`sourcing run` with a request file that can't be used: exit code 2 and every fault,
before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from deployments.local_server import server_at_work
from domain.marketplace import Marketplace
from tests.cli.conftest import Sourcing
from tests.running import COLUMNS, RECEIVER

HEADER = [column for column in COLUMNS if column != "zip"]
GOOD: dict[str, object] = {
    **{column: value for column, value in RECEIVER.items() if column in HEADER},
    **{
        "marketplace": "taobao",
        "item": "600745400708",
        "sku": "",
        "quantity": "3",
        "max_unit_price": "6.00",
    },
    **{"freight": "cheapest", "note": ""},
}
ROWS: list[dict[str, object]] = [
    {**GOOD, "order_ref": "A-1"},
    {**GOOD, "order_ref": "A-2", "quantity": "-3"},
    {**GOOD, "order_ref": "A-3", "marketplace": "amazon"},
    {**GOOD, "order_ref": "A-4", "max_unit_price": "cheap"},
    {**GOOD, "order_ref": "A-5", "country": "Germny"},
    {**GOOD, "order_ref": "A-6", "receiver_name": ""},
    {**GOOD, "order_ref": "A-1", "item": "600943929233", "receiver_name": "John Roe"},
]
MESSAGE = f"""\
sourcing: the request file has 7 faults; nothing was sent:
  row 1, column zip: this column is missing; add it (cells may be empty, but such an order waits for a person)
  row 3, column quantity: -3 is not a whole number of at least 1
  row 4, column marketplace: 'amazon' is not a marketplace; choose one of {", ".join(Marketplace)}
  row 5, column max_unit_price: cheap is not an amount in yuan above 0, such as 12.50
  row 6, column country: 'Germny' is not a country; did you mean Germany (DE)?
  row 7, column receiver_name: this cell is empty; fill it in
  row 8, column receiver_name: differs from row 2 of order A-1
"""

Rows = Sequence[Mapping[str, object]]


def write_csv(path: Path, rows: Rows) -> None:
    pd.DataFrame(rows, columns=HEADER).to_csv(path, index=False)


def write_xlsx(path: Path, rows: Rows) -> None:
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(HEADER)
    for row in rows:
        sheet.append([row[column] for column in HEADER])
    book.save(path)


def write_parquet(path: Path, rows: Rows) -> None:
    pd.DataFrame(rows, columns=HEADER).to_parquet(path)


WRITERS: dict[str, Callable[[Path, Rows], None]] = {
    "csv": write_csv,
    "xlsx": write_xlsx,
    "parquet": write_parquet,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_every_fault_is_listed_with_row_and_column(
    sourcing: Sourcing, tmp_path: Path, kind: str
) -> None:
    """The same rows bring the same list in every format, neither ledger nor service is
    touched, no server is left.
    """
    file = tmp_path / f"requests.{kind}"
    WRITERS[kind](file, ROWS)
    done = sourcing("run", file, "--yes")
    assert (done.exit_code, done.stderr, done.stdout) == (2, MESSAGE, "")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["prefect"]
    assert server_at_work(tmp_path / "data" / "prefect") is None


def test_a_dry_run_lists_the_same_faults(sourcing: Sourcing, tmp_path: Path) -> None:
    """Looking only is no reason to be less strict."""
    write_csv(tmp_path / "requests.csv", ROWS)
    done = sourcing("run", tmp_path / "requests.csv", "--dry-run")
    assert (done.exit_code, done.stderr, done.stdout) == (2, MESSAGE, "")


@pytest.mark.parametrize("command", [("run", "--yes"), ("run", "--dry-run")])
def test_of_many_faults_the_first_are_told_and_json_has_all(
    sourcing: Sourcing, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Hundreds of lines would push the first of them off the screen."""
    write_csv(
        tmp_path / "requests.csv",
        [{**GOOD, "order_ref": f"A-{n}", "quantity": "0"} for n in range(300)],
    )
    done = sourcing(*command, tmp_path / "requests.csv", "--json")
    assert done.exit_code == 2
    head, *notices, last = done.stderr.splitlines()
    assert head == "sourcing: the request file has 301 faults; nothing was sent:"
    assert (len(notices), last) == (50, "  and 251 more: see them with --json")
    faults = json.loads(done.stdout)["faults"]
    assert len(faults) == 301
    assert faults[-1] == {
        "row": 301,
        "column": "quantity",
        "message": "0 is not a whole number of at least 1",
    }


def test_one_fault_is_not_two(sourcing: Sourcing, tmp_path: Path) -> None:
    """The message counts in proper English."""
    write_csv(tmp_path / "requests.csv", ROWS[:1])
    done = sourcing("run", tmp_path / "requests.csv", "--yes")
    assert done.stderr.startswith(
        "sourcing: the request file has 1 fault; nothing was sent:\n"
    )


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "missing.csv",
            None,
            "can't be opened (No such file or directory); check the path and its permissions",
        ),
        (
            "requests.ods",
            "",
            "files ending in '.ods' can't be read; save it as .csv, .xlsx, .json, .parquet",
        ),
        ("requests.xlsx", "order_ref", "can't be read as XLSX"),
        ("requests.parquet", "order_ref", "can't be read as Parquet"),
        ("requests.json", "{", "can't be read as JSON"),
    ],
)
def test_a_file_that_is_no_table_is_named(
    sourcing: Sourcing, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    """Exit code 2, the path, and what to do about it."""
    if content is not None:
        (tmp_path / name).write_text(content)
    done = sourcing("run", tmp_path / name, "--yes")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sourcing: {tmp_path / name}: ")
    assert message in done.stderr


HIDDEN = {
    **GOOD,
    "order_ref": "A-1",
    "zip": "10115",
    "country": "Germany",
    "note": "two\nlines",
    "max_unit_price": "",
}


@pytest.mark.parametrize("command", [("run", "--yes"), ("run", "--dry-run")])
def test_an_encoding_that_is_none_is_bad_usage(
    sourcing: Sourcing, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Said before the file is looked for."""
    done = sourcing(*command, tmp_path / "requests.csv", "--encoding", "rot13")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "sourcing: --encoding 'rot13' is no encoding of text that is known here; use a name such"
    )


@pytest.mark.parametrize("command", [("run", "--yes"), ("run", "--dry-run")])
def test_another_encoding_is_read_where_it_is_named(
    sourcing: Sourcing, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Without its name the file is refused with the way to name it."""
    file = tmp_path / "requests.csv"
    pd.DataFrame([{**ROWS[1], "receiver_name": "王小明", "zip": "1"}]).to_csv(
        file, index=False, encoding="gb18030"
    )
    done = sourcing(*command, file)
    assert done.exit_code == 2
    assert "line 2 is no UTF-8 text; save it as CSV UTF-8" in done.stderr
    done = sourcing(*command, file, "--encoding", "gb18030")
    assert done.exit_code == 2
    assert (
        "row 2, column quantity: -3 is not a whole number of at least 1" in done.stderr
    )


def test_a_limit_in_every_line_may_be_required(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting, for who wants no line to be bought at any price."""
    monkeypatch.setenv("SOURCING_REQUIRE_PRICE_LIMIT", "true")
    pd.DataFrame([HIDDEN]).to_csv(tmp_path / "requests.csv", index=False)
    done = sourcing("run", tmp_path / "requests.csv", "--dry-run")
    assert done.exit_code == 2
    assert (
        "row 2, column max_unit_price: this cell is empty, and SOURCING_REQUIRE_PRICE_LIMIT asks for"
        in done.stderr
    )


def test_what_was_cleaned_is_said_before_anything_is_bought(
    sourcing: Sourcing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `--yes` nobody is shown a plan, so it is said first."""
    pd.DataFrame([HIDDEN]).to_csv(tmp_path / "requests.csv", index=False)
    monkeypatch.setattr(
        "cli.running.run_flow", lambda _flow, *, first: first() or 1 / 0
    )
    done = sourcing("run", tmp_path / "requests.csv", "--yes")
    assert str(done.exception) == "ZeroDivisionError"
    assert (
        done.stderr
        == "sourcing: warning: row 2, column note: line breaks and tabs in this cell became blanks\n"
    )
