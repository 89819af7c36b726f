"""What a run is asked to buy, and under which batch."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest

from connectors.request_files import UnreadableFile, fetching
from connectors.settings import SourcingSettings
from domain.request_remarks import BadRequests
from flows.batch.request_batches import (
    batch_id_of,
    default_batch_id,
    note_missing,
    read_requests,
    read_shown,
)
from flows.prefect_ui.parameters import Requests
from tests.connectors.request_files.sheets import serving_sheets

HEADER = "order_ref,marketplace,item,quantity,max_unit_price,receiver_name,receiver_phone,country,state,city,zip,address"
ROW = "A-1,taobao,600745400708,3,6.00,Jane Doe,5083326888,US,California,VALLEY VLG,91607,5818 WHITSETT AVE 401"


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_pasted_lines_are_read_as_a_spreadsheet_gives_them(separator: str) -> None:
    """Tabs, commas or semicolons, blank lines around them: the same order, the same
    batch for the same text.
    """
    text = f"\n{HEADER}\n{ROW}\n\n".replace(",", separator)
    request_batch = read_requests(Requests(lines=text))
    (order,) = request_batch.orders
    assert (order.order_ref, order.lines[0].item, order.lines[0].quantity) == (
        "A-1",
        "600745400708",
        3,
    )
    assert request_batch.batch_id.startswith("pasted-lines-")
    assert (
        read_requests(Requests(lines=text.strip())).batch_id == request_batch.batch_id
    )


def test_faults_of_pasted_lines_have_row_and_column() -> None:
    """Row 1 is the header, as in a file."""
    with pytest.raises(BadRequests) as failure:
        read_requests(Requests(lines=f"{HEADER}\n{ROW.replace(',3,', ',-3,')}"))
    assert (
        str(failure.value.faults[0])
        == "row 2, column quantity: -3 is not a whole number of at least 1"
    )


def test_a_file_keeps_its_batch_when_it_is_renamed_after_its_content(
    tmp_path: Path,
) -> None:
    """An inbox that had to rename a file goes on with the batch that the file began."""
    file = tmp_path / "orders.csv"
    file.write_text(f"{HEADER}\n{ROW}\n")
    batch = default_batch_id(file)
    assert batch.startswith("orders-")
    assert batch_id_of(batch, file.read_bytes()) == batch
    assert read_requests(Requests(file=str(file)), "week-47").batch_id == "week-47"


@pytest.mark.parametrize(
    ("faulty", "why"),
    [
        (ROW.replace(",3,", ",-3,").encode(), BadRequests),
        (b"\0\x01\x02", UnreadableFile),
    ],
)
async def test_a_retry_reads_a_faulty_file_at_an_address_anew_and_a_sound_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faulty: bytes, why: type[Exception]
) -> None:
    """A run keeps its id in a retry. What it fetched first stays its file once it can
    be bought from.
    """
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "run-1")
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(fetching, "is_reachable", lambda text, **_: text == "127.0.0.1")

    async def bought_from(row: bytes) -> str:
        with serving_sheets(HEADER.encode() + b"\n" + row + b"\n") as address:
            request_batch = await read_shown(
                Requests(file=address("sheet")), "", SourcingSettings()
            )
        return request_batch.orders[0].order_ref

    with pytest.raises(why):
        await bought_from(faulty)
    assert await bought_from(ROW.encode()) == "A-1"
    assert await bought_from(ROW.replace("A-1", "A-2").encode()) == "A-1"


@pytest.mark.parametrize("rows", [[{"own_sku": "FERN-1", "rank": "1"}], []])
def test_a_list_of_what_the_book_lacks_that_can_t_be_kept_ends_no_run(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    """By then the run has bought, and its report waits to be shown."""
    (tmp_path / "book-missing-b.csv").mkdir()
    note_missing(Mock(batch_id="b", missing_entries=rows), tmp_path)
    assert "what the SKU book lacks, can't be kept" in caplog.text
