"""Orders of ours that this ledger does not know: it was lost, is a second one, or gave up what arrived later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from connectors.ledger.controls import account_of, newest_until
from connectors.marketplaces.protocol import Channel
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.absence import LISTS_BEHIND, Control, Reading, judge_account, written_otherwise
from domain.decisions import Verdict, held
from domain.marketplace import Marketplace
from domain.orders import OrderRequest
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.witnessed import words_of
from tasks.engine.gathering import not_read
from tasks.engine.resources import Resources

MOST_CONTROLS = 3
CLOCK_AHEAD = timedelta(days=366)
"""A clock of the service, or of a moved sandbox, may be ahead: an order dated tomorrow is known all the same."""


async def find_unrecorded(resources: Resources, requests: Sequence[OrderRequest]) -> Mapping[str, Verdict]:
    """Why not to order what the service may have and this ledger has not ordered, by `order_ref`.

    A lost ledger, a second one, or one that was restored from a backup must not buy again; nor may an order be bought
    again that arrived after it was given up. Where creating is idempotent the service itself prevents that.
    """
    reasons: dict[str, Verdict] = {}
    for marketplace, offering in resources.offerings.items():
        refs = [request.order_ref for request in requests if request.marketplace is marketplace]
        if not refs or marketplace.create_is_idempotent:
            continue
        try:
            reasons |= await _check(resources, marketplace, offering.channel, refs)
        except Misconfigured:
            raise
        except XportcnError as error:
            reasons |= dict.fromkeys(refs, not_read("could not be looked for at the service", error))
    return reasons


async def _check(
    resources: Resources, marketplace: Marketplace, channel: Channel, refs: Sequence[str]
) -> dict[str, Verdict]:
    ledger, now = resources.ledger, resources.clock()
    newest = _newest(resources, marketplace)
    since = min([now - timedelta(days=resources.settings.look_back_days), *(one.ordered_at for one in newest[:1])])
    reading = await channel.find(refs, since=since)
    account = account_of(ledger, marketplace, reading.shown, newest)
    doubt = judge_account(reading, account)
    doubts = {ref: written_otherwise(ref, reading, account) or doubt for ref in refs}
    return {
        ref: held(because(ReasonCode.MAY_BE_THERE, doubt=words_of(why), marketplace=marketplace))
        for ref, why in doubts.items()
        if why and (ref not in reading.found or reading.lacks)
    } | {ref: held(why) for ref, why in _known_by_name(reading).items()}


def _newest(resources: Resources, marketplace: Marketplace) -> list[Control]:
    """The newest orders there that the ledger knows, those first that every list shows by now."""
    now = resources.clock()
    found: dict[str, Control] = {}
    for until in (now - LISTS_BEHIND, now + CLOCK_AHEAD):
        for control in newest_until(resources.ledger, marketplace, until, most=MOST_CONTROLS):
            found.setdefault(control.order_id, control)
    return list(found.values())


def _known_by_name(reading: Reading) -> dict[str, Reason]:
    return {
        ref: because(ReasonCode.ALREADY_THERE, orders=_listed(alive), command=_taking_over(ref, alive))
        for ref, orders in reading.found.items()
        if (alive := [order for order in orders if order.status is not ServiceStatus.CLOSED])
    }


def _taking_over(order_ref: str, alive: Sequence[ServiceOrder]) -> str:
    order_id, most = (alive[0].order_id, alive[0].total.major) if len(alive) == 1 else ("ORDER_ID", "AMOUNT_CNY")
    return f"sourcing resolve {order_ref} --ordered {order_id} --up-to {most}"


def _listed(orders: Sequence[ServiceOrder]) -> str:
    return ", ".join(f"{order.order_id} ({order.status}, {order.total})" for order in orders)
