"""How the flows that look after orders end, and what their forms ask for."""

from __future__ import annotations

from typing import Any

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import get_client
from prefect.exceptions import ParameterTypeError
from prefect.settings import PREFECT_API_URL, temporary_settings

from connectors.xportcn.errors import Misconfigured
from domain.after_sale import RefundFault
from domain.marketplace import Marketplace
from domain.request_remarks import BadRequests, Fault
from flows.after_sale import (
    confirm_receipt,
    follow_after_sale,
    message_seller,
    request_refund,
    return_parcel,
    withdraw_refund,
)
from flows.callbacks import hear_callbacks
from flows.cancel_orders import cancel_orders
from flows.costs import compute_costs
from flows.exchange import export_tables, export_tracking, shop_orders
from flows.prefect_ui.expected_errors import report_expected_errors
from flows.reconcile import reconcile_ledger
from flows.remedies import resolve_order
from flows.sync_tracking import sync_tracking

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Prefect leaves its sockets to the garbage collector when a flow's event loop ends."""

FORMS: dict[Flow[..., Any], list[str]] = {
    sync_tracking: ["Orders per step", "Calls at once", "Only what is due"],
    reconcile_ledger: [
        "Days back",
        "Left the wallet, in yuan",
        "Marketplaces",
        "Not ours",
        "Your name",
        "Orders per step",
    ],
    compute_costs: ["Paid since", "Currency", "CSV file", "Sheet", "Only what has moved"],
    export_tables: ["Tables", "Query", "Format", "File"],
    export_tracking: [],
    shop_orders: ["Inbox"],
    cancel_orders: ["Orders", "Reason", "Only show what would happen"],
    follow_after_sale: ["Orders per step"],
    hear_callbacks: ["About", "Ticket"],
    confirm_receipt: ["Orders", "Only show what would happen"],
    request_refund: [
        *("Order", "What for", "Reason", "Amount in yuan", "Lines", "Words to the seller", "Pictures"),
        "Only show what would happen",
    ],
    return_parcel: [
        *("Order", "Carrier", "Tracking number", "Line", "Note", "Pictures"),
        "Only show what would happen",
    ],
    withdraw_refund: ["Order", "Line", "Only show what would happen"],
    message_seller: ["Order", "Message", "Line", "Pictures", "Only show what would happen"],
    resolve_order: [
        *("Order", "Your answer", "Id", "Amount in yuan", "Tracking numbers", "Your name"),
        "Only show what would happen",
    ],
}


@report_expected_errors(RefundFault)
async def work(fault: Exception | None = None, where: Marketplace = Marketplace.TAOBAO) -> str:
    """Work that fails as it is told."""
    if fault:
        raise fault
    return where


async def test_a_failure_that_a_person_can_mend_is_the_runs_message() -> None:
    """A state with the message, and with the failure for whoever called the flow as a function."""
    for fault in (Misconfigured("the key is wrong"), RefundFault("no such order")):
        state: Any = await work(fault)
        assert (state.is_failed(), state.message, await state.aresult(raise_on_failure=False)) == (
            True,
            str(fault),
            fault,
        )


async def test_a_defect_leaves_its_traceback_in_the_log_and_its_type_alone_in_prefect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state: Any = await work(KeyError("Jane Doe"))
    assert (state.type, state.message) == ("FAILED", "a defect, KeyError: see the log of this run")
    assert "raise fault" in caplog.text
    assert "Jane Doe" not in caplog.text
    assert await work(where=Marketplace.POIZON) == "poizon"


async def test_a_failed_run_keeps_its_reason_with_its_start(prefect_url: str) -> None:
    """As Prefect answers it."""

    @flow(persist_result=False)
    @report_expected_errors()
    async def nightly() -> None:
        raise BadRequests([Fault(3, "receiver_name", "Mei Chen is not a name")])

    with temporary_settings({PREFECT_API_URL: prefect_url}):
        state = await nightly(return_state=True)
        async with get_client() as client:
            assert state.state_details.flow_run_id
            run = await client.read_flow_run(state.state_details.flow_run_id)
    assert (state.is_failed(), run.run_count) == (True, 1)
    assert run.labels["sourcing.reason.1"] == "run_file_faulty"


@pytest.mark.parametrize(("flow", "titles"), FORMS.items(), ids=[flow.name for flow in FORMS])
def test_every_field_of_a_form_says_what_it_is(flow: Flow[..., Any], titles: list[str]) -> None:
    """Title and description, in the order of the form; the flow's own words are its description."""
    fields = flow.parameters.properties
    assert [field["title"] for field in fields.values()] == titles
    assert all(field.get("description") for field in fields.values())
    assert flow.description


@pytest.mark.parametrize(
    ("flow", "parameters"),
    [
        (reconcile_ledger, {"since_days": -2}),
        (reconcile_ledger, {"marketplaces": ["ebay"]}),
        (sync_tracking, {"chunk_size": 2000}),
        (request_refund, {"order_ref": "A-1", "kind": "gift", "reason": "1"}),
    ],
)
def test_what_can_not_be_done_is_not_taken(flow: Flow[..., Any], parameters: dict[str, object]) -> None:
    """The form's limits hold for whoever starts the flow."""
    with pytest.raises(ParameterTypeError):
        flow.validate_parameters(parameters)
