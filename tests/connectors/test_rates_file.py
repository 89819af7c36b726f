"""The file of rates as spreadsheets save it: each cell is understood or refused, with
its place.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.book_file import TableUnusable, read_rates
from domain.landed import Rate

GOOD = "from,to,rate,date,source\nCNY,EUR,0.1285,2026-11-26,ECB\n"
READ = [
    Rate(
        base="CNY",
        into="EUR",
        rate=Decimal("0.1285"),
        on=date(2026, 11, 26),
        source="ECB",
    )
]


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "rates.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(folder: Path, content: str | bytes) -> str:
    with pytest.raises(TableUnusable) as raised:
        read_rates(written(folder, content))
    return str(raised.value)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.encode("utf-8-sig"),  # Excel: CSV UTF-8
        GOOD.encode("utf-16"),  # Excel: Unicode text
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        GOOD.replace(",", ";"),
        GOOD.replace(",", ";").replace(
            "0.1285", "0,1285"
        ),  # where a comma is the decimal one
        GOOD.replace("0.1285", '"0,1285"'),
        GOOD.replace("CNY,EUR", " cny , Eur "),
        GOOD.replace("2026-11-26", "2026/11/26"),  # Chinese Excel
        GOOD.replace("from,to", "From,TO"),
        GOOD + ",,,,\n\n",  # rows that were emptied
        "source,date,rate,to,from,\nECB,2026-11-26,０.1285,EUR,CNY,\n",
    ],
)
def test_what_a_spreadsheet_saves_is_understood(
    tmp_path: Path, content: str | bytes
) -> None:
    assert list(read_rates(written(tmp_path, content))) == READ


def test_without_a_file_there_are_no_rates() -> None:
    assert list(read_rates(None)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "CNY,EUR",
            "CNY,EURO",
            "row 2, column to: 'EURO' is no currency; give its three letters, such as EUR",
        ),
        (
            "CNY,EUR",
            "CNY,CNY",
            "row 2, column to: is CNY as well; a rate is between two currencies",
        ),
        ("CNY,EUR", ",EUR", "row 2, column from: this cell is empty; fill it in"),
        ("0.1285", "0", "row 2, column rate: a rate is above 0"),
        (
            "0.1285",
            "-0.1285",
            "row 2, column rate: '-0.1285' is no rate; write a plain number such as 0.1285",
        ),
        (
            "0.1285",
            '"1,285"',
            "row 2, column rate: 1,285 may be a decimal or a thousand; write it with a point",
        ),
        ("0.1285", "1.28E-01", "row 2, column rate: '1.28E-01' is no rate"),
        ("0.1285", "12.85%", "row 2, column rate: '12.85%' is no rate"),
        ("0.1285", "=1/7.78", "row 2, column rate: '=1/7.78' is no rate"),
        (
            "0.1285",
            "#N/A",
            "row 2, column rate: #N/A is a spreadsheet's error or placeholder",
        ),
        (
            "2026-11-26",
            "26.11.2026",
            "row 2, column date: '26.11.2026' is no date such as 2026-01-31; in a",
        ),
        (
            "2026-11-26",
            "11/26/2026",
            "row 2, column date: '11/26/2026' is no date such as 2026-01-31",
        ),
        (
            "2026-11-26",
            "46352",
            "row 2, column date: '46352' is no date such as 2026-01-31",
        ),
        (
            "2026-11-26",
            "2026-11-31",
            "row 2, column date: 2026-11-31 is no day of the calendar",
        ),
        ("2026-11-26", "2026-11/26", "row 2, column date: '2026-11/26' is no date"),
        (",ECB", ",", "row 2, column source: this cell is empty; fill it in"),
        (
            ",ECB",
            "",
            "row 2: this row has 4 cells where the header has 5; check its separators and quotes",
        ),
        ("0.1285", "0,1285", "row 2: this row has 6 cells where the header has 5"),
        (
            "source",
            "sauce",
            "row 1, column sauce: not known; the columns are from, to, rate, date, source",
        ),
        (
            "source",
            "sauce",
            "row 1, column source: this column is missing; add it",
        ),
        (
            "to,rate",
            "rate,rate",
            "row 1, column rate: this column is there more than once; keep one of them",
        ),
        (
            "\nCNY,EUR,0.1285,2026-11-26,ECB",
            "",
            "row 1: the file has no rates; add one row for each",
        ),
        ("from", "sep=,\nfrom", "begins with 'sep=,'; delete that line"),
    ],
)
def test_what_is_not_understood_beyond_doubt_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in refusal(tmp_path, GOOD.replace(old, new, 1))


def test_two_rates_of_one_day_are_refused(tmp_path: Path) -> None:
    message = refusal(tmp_path, GOOD + "CNY,EUR,0.1300,2026-11-26,bank\n")

    assert (
        "row 3, column date: row 2 has a rate from CNY to EUR of that day; keep one of them"
        in message
    )


@pytest.mark.parametrize("slip", ["0.01285", "1.285", "7.78"])
def test_a_slip_of_the_point_or_the_wrong_way_round_is_refused(
    tmp_path: Path, slip: str
) -> None:
    message = refusal(tmp_path, f"{GOOD}CNY,EUR,{slip},2026-11-27,ECB\n")

    assert (
        f"row 3, column rate: {slip} follows 0.1285 of 2026-11-26; check the point"
        in message
    )


def test_a_rate_may_have_moved_far_in_years(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD + "CNY,EUR,0.7,2029-11-26,ECB\n")

    assert [rate.rate for rate in read_rates(path)] == [
        Decimal("0.1285"),
        Decimal("0.7"),
    ]


def test_every_fault_is_said_at_once_and_nothing_of_the_file_is_used(
    tmp_path: Path,
) -> None:
    message = refusal(
        tmp_path, GOOD + "X,EUR,?,2026-11-27,ECB\n" + "CNY,USD,0.14,yesterday,\n" * 20
    )

    assert "nothing of it is used until this is mended" in message
    assert "row 3, column from: 'X' is no currency" in message
    assert "row 3, column rate: '?' is no rate" in message
    assert "row 4, column source: this cell is empty" in message
    assert "and 32 more" in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            GOOD.replace("ECB", "中国银行").encode("gb18030"),
            "line 2 is no UTF-8 text; save it as CSV UTF-8",
        ),
        (b"PK\x03\x04\x00\x00", "is no UTF-8 text"),
        (b"", "row 1: the file has no rates; add one row for each"),
    ],
)
def test_other_files_are_refused_with_a_remedy(
    tmp_path: Path, content: bytes, said: str
) -> None:
    answer = refusal(tmp_path, content)

    assert said in answer
    assert "--encoding" not in answer


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TableUnusable,
        match=r"SOURCING_RATES, .*/gone\.csv: can't be opened \(No such file",
    ):
        read_rates(tmp_path / "gone.csv")
