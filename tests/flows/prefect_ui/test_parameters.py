"""The run form: what it shows, and what it refuses before a run begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from prefect.utilities.schema_tools import ValidationError as SchemaError
from prefect.utilities.schema_tools import validate

from flows.buy_from_file import buy_from_file, finish_batch
from flows.buy_from_inbox import buy_from_inbox
from flows.costs import compute_costs
from flows.reconcile import reconcile_ledger
from flows.sync_catalog import sync_catalog

SCHEMA = buy_from_file.parameters.model_dump()


def refused(parameters: dict[str, Any]) -> bool:
    """Whether the server that validates a form's input refuses these parameters."""
    try:
        validate(parameters, SCHEMA, raise_on_error=True)
    except SchemaError:
        return True
    return False


def test_a_run_started_by_hand_buys_nothing_unless_told_to() -> None:
    """The defaults: a dry run, and not approved beforehand."""
    assert (
        SCHEMA["properties"]["dry_run"]["default"],
        SCHEMA["properties"]["yes"]["default"],
    ) == (True, False)
    assert SCHEMA["required"] == ["requests"]


@pytest.mark.parametrize(
    ("parameters", "is_refused"),
    [
        ({"requests": {"file": "orders.csv"}}, False),
        ({"requests": {"file": "C:\\in\\Orders 1.XLSX"}}, False),
        ({"requests": {"lines": "order_ref\titem\nA\t1"}, "batch": "week-47.b"}, False),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "99.50"}}, False),
        ({"requests": {"lines": "x"}, "limits": {"budget_cny": "0.01"}}, False),
        ({"requests": {"lines": "x"}, "parts": 65}, True),
        ({"requests": {"path": "orders.csv"}}, True),
        ({"requests": {"file": "a.csv", "encoding": "gb18030"}}, True),
        ({}, True),
    ],
)
def test_the_server_refuses_what_the_form_does_not_allow(
    parameters: dict[str, Any],
    is_refused: bool,  # noqa: FBT001
) -> None:
    """The schema says it, so a wrong form never becomes a run."""
    assert refused(parameters) is is_refused


BUY = buy_from_file
PASTED = {"lines": "x"}
ROWS = "order_ref,item\n" * 1_001


@pytest.mark.parametrize(
    ("flow", "parameters", "message"),
    [
        (
            BUY,
            {"requests": {}},
            "nothing to buy: give the path or https address of a request file, or",
        ),
        (
            BUY,
            {"requests": {"lines": " \n"}},
            "nothing to buy: give the path or https address of a request file, or",
        ),
        (
            BUY,
            {"requests": {"file": "a.csv", "lines": "b"}},
            "give a request file or pasted lines, not both",
        ),
        (
            BUY,
            {"requests": {"lines": ROWS}},
            "1,001 lines were pasted, and a form takes 1,000: put them into a file",
        ),
        (
            BUY,
            {"requests": {"file": "a.pdf"}},
            "a.pdf: files ending in '.pdf' can't be read; save it as .csv, .xlsx",
        ),
        (
            BUY,
            {"requests": PASTED, "limits": {"budget_cny": "-5"}},
            "Budget in yuan: '-5' is no amount above 0 with",
        ),
        (
            BUY,
            {"requests": PASTED, "limits": {"budget_cny": "0.00"}},
            "Budget in yuan: '0.00' is no amount above 0",
        ),
        (
            BUY,
            {"requests": PASTED, "limits": {"budget_cny": "1.234"}},
            "Budget in yuan: '1.234' is no amount above 0",
        ),
        (
            BUY,
            {"requests": PASTED, "limits": {"budget_cny": "1e5"}},
            "Budget in yuan: '1e5' is no amount above 0",
        ),
        (
            BUY,
            {"requests": PASTED, "limits": {"done_by": "25:00"}},
            "Done by: '25:00' is no time: give one such as",
        ),
        (
            buy_from_inbox,
            {"budget_cny": "a lot"},
            "Budget in yuan: 'a lot' is no amount above 0 with at most two",
        ),
        (
            buy_from_inbox,
            {"done_by": "noon"},
            "Done by: 'noon' is no time: give one such as 06:00",
        ),
        (
            finish_batch,
            {"batch": "week 47"},
            "Batch: 'week 47' can't name a batch: use up to 100 letters",
        ),
        (
            reconcile_ledger,
            {"not_ours": ["ebay:1"]},
            "Not ours: 'ebay:1' is no order; give marketplace:order id",
        ),
        (
            compute_costs,
            {"since": "last week"},
            "Paid since: 'last week' is no day; give one such as 2026-11-01",
        ),
        (
            compute_costs,
            {"since": "2026-11-31"},
            "Paid since: day is out of range for month",
        ),
        (sync_catalog, {"wanted": []}, "What to fetch: add at least one marketplace"),
        (
            sync_catalog,
            {"wanted": [{"marketplace": "1688"}]},
            "What to fetch: 1688: name keywords, categories,",
        ),
    ],
)
async def test_bad_input_is_told_in_one_sentence(
    flow: Flow[..., Any],
    parameters: dict[str, Any],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The form takes it, so that no regular expression is shown; the run ends with
    words, before anything is sent.
    """
    monkeypatch.chdir(tmp_path)
    validate(parameters, flow.parameters.model_dump(), raise_on_error=True)
    state = await flow.fn(**flow.validate_parameters(parameters))
    assert state.is_failed()
    assert state.message.startswith(message)
    assert "\n" not in state.message


def test_the_form_names_the_columns_and_shows_a_row() -> None:
    """Nobody learns them from a run that failed; and the example is refused where
    somebody pastes it as it is.
    """
    field = SCHEMA["definitions"]["Requests"]["properties"]["lines"]["description"]
    assert (
        "order_ref, marketplace, item, sku, own_sku, quantity, max_unit_price, receiver_name"
        in field
    )
    assert (
        "EXAMPLE-1, taobao, 2048020617114736, 413185732720, , 1, 12.50, Alex Example"
        in field
    )
    assert (
        "More than 1,000 lines: use a file; `sourcing template orders.xlsx` makes an empty one"
        in field
    )


def test_the_nightly_form_has_defaults_for_everything() -> None:
    """A schedule starts it without any parameter, approved beforehand."""
    schema = buy_from_inbox.parameters.model_dump()
    assert "required" not in schema or schema["required"] == []
    assert {name: field["default"] for name, field in schema["properties"].items()} == {
        "yes": True,
        "budget_cny": "",
        "done_by": "",
    }
