"""A person's answers in the UI to what is open about a marketplace: amounts, first payment, orders there."""

from __future__ import annotations

from prefect import flow

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.marketplace import Marketplace
from domain.pause import by_whom
from flows.answers.marketplaces import Topic, answered, confirm_units
from flows.prefect_ui.expected_errors import best_effort, rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import (
    AllKnown,
    AmountsRight,
    ConfirmedAt,
    ConfirmedBy,
    FirstPaymentOtherwise,
    FirstPaymentRight,
    NamelessOurs,
)
from tasks.engine.resources import utc_now


@flow(flow_run_name="confirm {marketplace}", persist_result=False)
@report_expected_errors(LedgerUnusable)
async def confirm_marketplace(
    marketplace: ConfirmedAt,
    amounts_are_right: AmountsRight = False,  # noqa: FBT002 - a box of a form
    every_order_is_known: AllKnown = False,  # noqa: FBT002 - a box of a form
    order_without_reference_is_ours: NamelessOurs = False,  # noqa: FBT002 - a box of a form
    first_payment_is_right: FirstPaymentRight = False,  # noqa: FBT002 - a box of a form
    first_payment_otherwise: FirstPaymentOtherwise = "",
    said_by: ConfirmedBy = "",
) -> str:
    """Write down what a person has checked: then the next run may order and pay there again."""
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="confirm-marketplace", asks_first=True) as ledger:
        by, otherwise = by_whom(said_by), first_payment_otherwise.strip()
        words = confirmed(ledger, marketplace, by, amounts=amounts_are_right, orders=every_order_is_known)
        if first_payment_is_right or otherwise:
            first = [Topic.FIRST_PAYMENT]
            words = f"{words}; {answered(ledger, marketplace, first, by=by, otherwise=otherwise)}"
        if order_without_reference_is_ours:
            words = f"{words}; {answered(ledger, marketplace, [Topic.REFERENCE], by=by)}"
    run_logger().info("%s", words)
    await best_effort("the run's name", rename_run(words))
    return words


def confirmed(ledger: Ledger, marketplace: Marketplace, by: str, *, amounts: bool, orders: bool) -> str:
    """Record the confirmations, and answer their effect in words."""
    done = []
    if amounts:
        ledger.holds.release(marketplace, by=by)
        confirm_units(ledger, marketplace, by=by)
        done.append("its amounts are right")
    if orders:
        ledger.marks.confirm(marketplace, by=by)
        done.append("every order of ours there is known")
    return f"{marketplace}: {', '.join(done) or 'nothing was confirmed'}"
