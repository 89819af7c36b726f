"""When not seeing an order of ours proves that there is none: only where one would show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.service_orders import Place, ServiceOrder, ServiceStatus

CLOCKS_APART = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An order of ours that is known to be at the service since `ordered_at` (UTC): a reading should show it."""

    order_ref: str
    order_id: str
    ordered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one look through a marketplace's orders showed.

    `found` has the orders under each reference that was asked for, controls among them. `listed` is everything that
    was looked through, empty where the marketplace is asked for references alone. `flaw` says why an order may be
    missing all the same; empty when nothing speaks against it.
    """

    found: Mapping[str, Sequence[ServiceOrder]]
    listed: Sequence[ServiceOrder] = ()
    flaw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A create that may have been carried out: where it put our reference, and from when on (UTC) it may have left."""

    order_ref: str
    places: frozenset[Place]
    at: datetime


def why_unproven(sent: Sent, reading: Reading, controls: Iterable[Control]) -> str:
    """Why not finding what was sent proves nothing; empty when it proves that it is not there.

    The same reading must show another order of ours, by its reference in a place where the order would have it too. A
    control that is younger would be no sign that the reading goes back far enough: a filter on times that is read in
    another zone hides what is some hours older.
    """
    if reading.flaw:
        return reading.flaw
    old_enough = [control for control in controls if control.ordered_at <= sent.at + CLOCKS_APART]
    shown = {place for control in old_enough for place in _places(control, reading)}
    if shown & sent.places:
        return ""
    if shown:
        return f"the list shows our orders by their {_named(shown)}, and {sent.order_ref} was sent without it"
    return "nothing shows it, but nothing shows an older order of ours by its reference either, so that is no proof"


def _places(control: Control, reading: Reading) -> frozenset[Place]:
    orders = [order for order in reading.found.get(control.order_ref, ()) if order.order_id == control.order_id]
    return frozenset(place for order in orders for place in order.places_of(control.order_ref))


def misnamed(shown: Iterable[ServiceOrder], ours: Mapping[str, str]) -> str:
    """Why a reading's references can't be relied on; empty when they can.

    `ours` maps references to the ids under which the ledger has them. A living order with another id under one of them
    may be the very order that is looked for, told under a wrong name.
    """
    for order in shown:
        for name in order.names:
            if ours.get(name, order.order_id) != order.order_id and order.status is not ServiceStatus.CLOSED:
                return f"the list shows {name}, which is order {ours[name]}, as order {order.order_id} too"
    return ""


def _named(places: Iterable[Place]) -> str:
    return " and ".join(sorted(places))


def could_be_ours(
    listed: Iterable[ServiceOrder], known: Mapping[str, str], not_ours: Iterable[str]
) -> Sequence[ServiceOrder]:
    """The listed orders that may be orders of ours without showing it.

    `known` maps the ids that the ledger has to their `order_ref`. None, once one of them shows its own reference: then
    an order without one has none.
    """
    orders, strangers = list(listed), set(not_ours)
    if any(order.order_id in known and order.places_of(known[order.order_id]) for order in orders):
        return ()
    return [
        order for order in orders if order.order_id not in known and order.order_id not in strangers and not order.names
    ]
