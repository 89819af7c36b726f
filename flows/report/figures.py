"""The figures of a batch or a time, computed from its snapshot tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import pairwise
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import compute

from connectors.snapshots import Snapshots
from domain.landed import NOT_PAID
from domain.reason_codes import ReasonCode
from domain.service_orders import GONE_BACK, TraceStatus
from domain.states import NEEDS_A_PERSON, ROAD, OrderState

Frames = Mapping[str, pd.DataFrame]

S = OrderState
OFF_THE_ROAD = (*NEEDS_A_PERSON, S.CANCELLED, S.REFUNDING, S.REFUNDED)
STEPS = tuple(state for state in ROAD if state is not S.PAYMENT_PENDING)
MOMENTS = {S.ORDERED: "created_at", S.PAID: "paid_at", S.BOOKED: "booked_at"}
STAGES = [*pairwise(STEPS[1:]), (S.ORDERED, S.DELIVERED)]
COSTS = ("landed_goods_minor", "landed_postage_minor", "landed_surcharge_minor", "landed_freight_minor")
SHIPMENT = ["order_ref", "shipment_order_id"]
LESS = ("landed_discount_minor", "landed_refunded_minor")
MOST_LISTED = 200
MOST_NAMED = 10
CLOCKS_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a report shows. `batch` is empty for everything; `as_of` is the newest row's moment, None without rows.

    `not_compared` are paid orders that `limits` leaves out, `freight_unknown` booked orders that `freight` does,
    `not_costed` paid orders that the table `landed_costs` does not have. The frames have these columns:

    - `standing`: state, orders. `reached`: state, orders that came at least so far
    - `spend`: currency, marketplace, day, orders, paid_minor
    - `limits`: currency, marketplace, orders, limit_minor, paid_minor (the goods), saved_minor
    - `freight`: marketplace, currency, freight_currency, orders, paid_minor, freight_minor
    - `carriers`: company, service, currency, orders, freight_minor
    - `landed`: currency, marketplace, orders, `COSTS`, `LESS`, landed_minor. `unsummed`: problem, orders
    - `refunds`: currency, state, refunds, asked_minor, refunded_minor
    - `stages`: start, end, orders, and in seconds median_s, most_s (of nine in ten), slowest_s
    - `parcels`: order_ref, tracking_number, problem: those at the warehouse that need a look
    - `waiting`: state, question, reason, reason_code, orders, order_refs (the first `MOST_NAMED`), since
    - `listed`: the first `MOST_LISTED` orders, those that wait for a person before others
    """

    batch: str
    as_of: datetime | None
    orders: int
    lines_asked: int
    not_compared: int
    freight_unknown: int
    not_costed: int
    standing: pd.DataFrame
    reached: pd.DataFrame
    spend: pd.DataFrame
    limits: pd.DataFrame
    freight: pd.DataFrame
    carriers: pd.DataFrame
    landed: pd.DataFrame
    unsummed: pd.DataFrame
    refunds: pd.DataFrame
    stages: pd.DataFrame
    parcels: pd.DataFrame
    waiting: pd.DataFrame
    listed: pd.DataFrame

    def to_json(self) -> dict[str, Any]:
        """Plain values; times in ISO 8601."""
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}


def figures(frames: Frames, *, batch: str, timezone: str) -> Figures:
    """All figures of some orders, from the tables of `report_frames`; days are of this zone."""
    orders = charged(frames["orders"], frames["shipments"])
    costs = frames["landed_costs"]
    costs = costs[costs["problem"].fillna("") != NOT_PAID]
    moments = [frame["snapshot_at"].max() for frame in (orders, frames["requests"]) if len(frame)]
    compared = limits(orders, frames["order_lines"], frames["requests"])
    booked = orders[orders["shipment_order_id"].notna()]
    return Figures(
        batch=batch,
        as_of=max(moments).to_pydatetime() if moments else None,
        orders=len(orders),
        lines_asked=len(frames["requests"]),
        not_compared=int((orders["paid_minor"] > 0).sum() - compared["orders"].sum()),
        freight_unknown=int(booked["freight_currency"].isna().sum()),
        not_costed=int((~orders.loc[orders["paid_minor"] > 0, "order_ref"].isin(costs["order_ref"])).sum()),
        standing=standing(orders),
        reached=reached(orders),
        spend=spend(frames["payments"], timezone),
        limits=compared,
        freight=freight(orders),
        carriers=carriers(orders, frames["shipments"]),
        landed=landed(costs),
        unsummed=unsummed(costs),
        refunds=refunds(frames["refunds"]),
        stages=stages(orders, frames["tracking_events"]),
        parcels=parcels(frames["parcels_received"]),
        waiting=waiting(orders, frames["outcomes"]),
        listed=listed(orders, frames["order_lines"]),
    )


def standing(orders: pd.DataFrame) -> pd.DataFrame:
    """How many orders are in each state, along the road and then off it; states without orders are left out."""
    counts = {state: int((orders["state"] == state).sum()) for state in (*ROAD, *OFF_THE_ROAD)}
    return _frame(state=[s for s in counts if counts[s]], orders=[n for n in counts.values() if n])


def reached(orders: pd.DataFrame) -> pd.DataFrame:
    """How many orders came at least as far as each step. One that left the road counts as far as its times show."""
    far = _far(orders["state"]).fillna(0)
    for state, column in MOMENTS.items():
        far = far.where(orders[column].isna(), far.clip(lower=ROAD.index(state)))
    return _frame(state=list(STEPS), orders=[int((far >= ROAD.index(step)).sum()) for step in STEPS])


def spend(payments: pd.DataFrame, timezone: str) -> pd.DataFrame:
    """What was paid, by currency, marketplace and day of the zone; the day is empty where it is not known."""
    paid = payments[payments["amount_minor"] > 0]
    days = pd.to_datetime(paid["paid_at"], utc=True).dt.tz_convert(timezone).dt.strftime("%Y-%m-%d").fillna("")
    told = paid.assign(day=days, orders=1, paid_minor=paid["amount_minor"])
    return _sums(told, ["currency", "marketplace", "day"], ["orders", "paid_minor"])


def limits(orders: pd.DataFrame, lines: pd.DataFrame, requests: pd.DataFrame) -> pd.DataFrame:
    """What the goods of paid orders might have cost by the request's limits, and what they did cost.

    Compared are orders that have a limit on each line, in the currency that they were paid in. What was paid above or
    below the quote is the goods' difference.
    """
    asked = requests.assign(
        limit_minor=requests["max_unit_price_minor"] * requests["quantity"],
        limited=requests["max_unit_price_minor"] > 0,
        limit_currency=requests["currency"],
    )
    by_order = asked.groupby("order_ref")
    told = orders[orders["paid_minor"] > 0].set_index("order_ref")
    told = told.join(by_order["limit_minor"].sum()).join(by_order["limited"].all())
    told = told.join(by_order["limit_currency"].first())
    told = told.join(lines.groupby("order_ref")["amount_minor"].sum().rename("goods_minor"))
    told = told.dropna(subset=["limit_minor", "goods_minor"])
    told = told[told["limited"].astype("bool") & (told["limit_currency"] == told["currency"]).fillna(value=False)]
    more = (told["paid_minor"] - told["quoted_minor"]).where(told["quoted_minor"] > 0, 0)
    cost = told["goods_minor"] + more
    told = told.assign(orders=1, saved_minor=told["limit_minor"] - cost, paid_minor=cost)
    return _sums(told, ["currency", "marketplace"], ["orders", "limit_minor", "paid_minor", "saved_minor"])


def charged(orders: pd.DataFrame, shipments: pd.DataFrame) -> pd.DataFrame:
    """The orders with the freight that the booking charged, where it is known, as the landed cost has it."""
    fees = shipments.loc[shipments["currency"].notna(), [*SHIPMENT, "fee_minor", "currency"]]
    both = orders.merge(fees.rename(columns={"currency": "fee_currency"}), on=SHIPMENT, how="left")
    told = both["fee_currency"].notna()
    both["freight_minor"] = both["freight_minor"].mask(told, both["fee_minor"])
    both["freight_currency"] = both["freight_currency"].mask(told, both["fee_currency"])
    return both[orders.columns]


def freight(orders: pd.DataFrame) -> pd.DataFrame:
    """International freight of booked orders beside what was paid for them, which may be in another currency."""
    known = orders[orders["shipment_order_id"].notna() & orders["freight_currency"].notna()]
    keys = ["marketplace", "currency", "freight_currency"]
    return _sums(known.assign(orders=1), keys, ["orders", "paid_minor", "freight_minor"])


def carriers(orders: pd.DataFrame, shipments: pd.DataFrame) -> pd.DataFrame:
    """Booked freight by carrier and service; the dearest first."""
    known = orders[orders["freight_currency"].notna()]
    told = shipments[[*SHIPMENT, "company"]].merge(known, on=SHIPMENT)
    told = told.assign(
        orders=1,
        company=told["company"].fillna(""),
        service=told["freight_service"].fillna(""),
        currency=told["freight_currency"],
    )
    sums = _sums(told, ["company", "service", "currency"], ["orders", "freight_minor"])
    return sums.sort_values("freight_minor", ascending=False, kind="stable", ignore_index=True)


def landed(costs: pd.DataFrame) -> pd.DataFrame:
    """The landed cost of orders by marketplace, in the currency of the merchant's books; orders with a sum only."""
    told = costs[costs["landed_minor"].notna()]
    told = told.assign(orders=(~told.duplicated("order_ref")).astype("int64"), currency=told["landed_currency"])
    return _sums(told, ["currency", "marketplace"], ["orders", *COSTS, *LESS, "landed_minor"])


def unsummed(costs: pd.DataFrame) -> pd.DataFrame:
    """Why no sum was made, and for how many orders; the most frequent first."""
    told = costs[costs["landed_minor"].isna()].drop_duplicates("order_ref").assign(orders=1)
    sums = _sums(told.assign(problem=told["problem"].fillna("")), ["problem"], ["orders"])
    return sums.sort_values("orders", ascending=False, kind="stable", ignore_index=True)


def refunds(table: pd.DataFrame) -> pd.DataFrame:
    """Money asked back and money that came back, by currency and state."""
    sums = ["refunds", "asked_minor", "refunded_minor"]
    return _sums(table.assign(refunds=1), ["currency", "state"], sums)


def parcels(received: pd.DataFrame) -> pd.DataFrame:
    """Parcels at the warehouse that are not as they should be."""
    found = received[received["problem"].notna()]
    return found[["order_ref", "tracking_number", "problem"]].sort_values("order_ref", ignore_index=True)


def stages(orders: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """How long orders took from each step to the next, and from ordered to delivered, in seconds.

    An order counts where both moments are known. Of a start that lies after its end the clocks disagree: up to
    `CLOCKS_S` that is no time at all, beyond it the order does not count.
    """
    moments = times(orders, events)
    rows = []
    for start, end in STAGES:
        took = (moments[end] - moments[start]).dt.total_seconds().dropna()
        took = took[took >= -CLOCKS_S].clip(lower=0)
        if len(took):
            rows.append((start, end, len(took), *(int(took.quantile(part).round()) for part in (0.5, 0.9, 1))))
    columns = ("start", "end", "orders", "median_s", "most_s", "slowest_s")
    return _frame(**{name: [row[place] for row in rows] for place, name in enumerate(columns)})


def times(orders: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """When each order came to each step after planning, by `order_ref`; missing where it is not known.

    The ledger has the times of our own steps, the carriers' scans the rest: a step that the order's state does not have
    yet (a second parcel may be on its way) has no time.
    """
    told = orders.set_index("order_ref")
    moments = pd.DataFrame({state: pd.to_datetime(told[column], utc=True) for state, column in MOMENTS.items()})
    abroad = told[["tracking_numbers"]].explode("tracking_numbers").reset_index().dropna().drop_duplicates()
    abroad.columns = pd.Index(["order_ref", "tracking_number"])
    scans = events[["order_ref", "tracking_number", "occurred_at", "status"]].merge(
        abroad, on=["order_ref", "tracking_number"], how="left", indicator="leg"
    )
    scans["occurred_at"] = pd.to_datetime(scans["occurred_at"], utc=True)
    domestic, international = scans[scans["leg"] == "left_only"], scans[scans["leg"] == "both"]
    moments[S.SHIPPED] = domestic.groupby("order_ref")["occurred_at"].min()
    moments[S.IN_WAREHOUSE] = _all_signed(domestic)
    moments[S.IN_TRANSIT] = international.groupby("order_ref")["occurred_at"].min()
    moments[S.DELIVERED] = _all_signed(international)
    far = _far(told["state"])
    for state in STEPS[STEPS.index(S.SHIPPED) :]:
        moments[state] = pd.to_datetime(moments[state].where(far >= ROAD.index(state)), utc=True)
    return moments


def _all_signed(scans: pd.DataFrame) -> pd.Series[Any]:
    """When the last parcel of each order was first signed for; parcels that went back do not count."""
    number = scans["tracking_number"]
    back = number.isin(number[scans["status"].isin(GONE_BACK)])
    signed = scans[(scans["status"] == TraceStatus.SIGN) & ~back]
    parcels = signed.groupby(["order_ref", "tracking_number"])["occurred_at"].min()
    return parcels.groupby("order_ref").max()


def waiting(orders: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Orders that wait for a person, a row for each cause: without an answer, held, refused."""
    asked = outcomes.drop_duplicates("order_ref").set_index("order_ref")["question"]
    told = orders[orders["state"].isin(NEEDS_A_PERSON)].join(asked, on="order_ref")
    told = told.assign(**{name: told[name].fillna("") for name in ("reason", "reason_code", "question")})
    told["cause"] = told["reason_code"].where(~told["reason_code"].isin(["", ReasonCode.EARLIER]), told["reason"])
    alike = told.groupby(["state", "cause", "question"], sort=False)
    sums = alike.agg(
        reason=("reason", "first"),
        reasons=("reason", "nunique"),
        reason_code=("reason_code", "first"),
        orders=("order_ref", "size"),
        since=("updated_at", "min"),
    ).reset_index()
    summed_up = sums["reason_code"].str.replace("_", " ") + ". The first: " + sums["reason"]
    sums["reason"] = sums["reason"].where(sums["reasons"] == 1, summed_up)
    sums["order_refs"] = [list(refs)[:MOST_NAMED] for refs in alike["order_ref"].agg(list)]
    rank = sums["state"].map({state: place for place, state in enumerate(NEEDS_A_PERSON)})
    return (
        sums.assign(rank=rank)
        .sort_values(["rank", "orders"], ascending=[True, False], kind="stable")
        .drop(columns=["rank", "cause", "reasons"])
        .reset_index(drop=True)
    )


def listed(orders: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """The first orders one by one: those that wait for a person, then those on their way, then the others."""
    far = [*NEEDS_A_PERSON, *ROAD, S.REFUNDING, S.REFUNDED, S.CANCELLED]
    rank = orders["state"].map({state: place for place, state in enumerate(far)})
    first = orders.assign(rank=rank).sort_values(["rank", "order_ref"], kind="stable")[:MOST_LISTED]
    mine = lines[lines["order_ref"].isin(first["order_ref"])].sort_values("line_no")
    by_order = mine.groupby("order_ref")
    told = first.join(by_order["title"].first(), on="order_ref").join(by_order.size().rename("lines"), on="order_ref")
    told = told.assign(title=told["title"].fillna(""), lines=told["lines"].fillna(0).astype("int64"))
    columns = ["order_ref", "marketplace", "state", "title", "lines", "paid_minor", "currency"]
    return told[[*columns, "freight_minor", "freight_currency"]].reset_index(drop=True)


def _far(states: pd.Series[Any]) -> pd.Series[Any]:
    """The place of each state on the road; missing off it."""
    return states.map({state: place for place, state in enumerate(ROAD)}).astype("float64")


def _sums(frame: pd.DataFrame, keys: list[str], sums: list[str]) -> pd.DataFrame:
    """The sums of each group, as `int64`; groups in the order of their keys."""
    return frame.groupby(keys)[sums].sum().reset_index().astype(dict.fromkeys(sums, "int64"))


def _frame(**columns: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({name: [str(v) if isinstance(v, S) else v for v in values] for name, values in columns.items()})


def _plain(value: object) -> Any:
    if isinstance(value, pd.DataFrame):
        return [{name: _plain(cell) for name, cell in row.items()} for row in value.to_dict("records")]
    if isinstance(value, datetime):
        return None if pd.isna(value) else value.isoformat()
    return None if value is pd.NA else value


COLUMNS = {
    "orders": [
        *(*SHIPMENT, "marketplace", "state", "reason", "reason_code", "quoted_minor", "paid_minor", "currency"),
        *("freight_service", "freight_minor", "freight_currency", "tracking_numbers"),
        *("created_at", "paid_at", "booked_at", "updated_at", "snapshot_at"),
    ],
    "requests": ["order_ref", "quantity", "max_unit_price_minor", "currency", "snapshot_at"],
    "order_lines": ["order_ref", "line_no", "title", "amount_minor"],
    "payments": ["order_ref", "marketplace", "amount_minor", "currency", "paid_at"],
    "shipments": [*SHIPMENT, "company", "fee_minor", "currency"],
    "tracking_events": ["order_ref", "tracking_number", "occurred_at", "status"],
    "outcomes": ["order_ref", "question"],
    "parcels_received": ["order_ref", "tracking_number", "problem"],
    "refunds": ["order_ref", "state", "currency", "asked_minor", "refunded_minor"],
    "landed_costs": ["order_ref", "marketplace", "landed_currency", *COSTS, *LESS, "landed_minor", "problem"],
}


FIRST_SCANS = """
SELECT order_ref, tracking_number, status, min(occurred_at) AS occurred_at FROM tracking_events GROUP BY ALL
"""
"""Of all orders' scans, the largest table, the first of each status is enough."""


class UnknownBatch(Exception):
    """No snapshot has an order or a plan of this batch; the message names those that there are."""


def report_frames(snapshots: Snapshots, batch: str = "") -> Frames:
    """The tables of a batch, or of everything. A table that was never written is empty.

    Rows of a batch's orders are found by their `order_ref`, since tracking and refunds belong to no one batch. Raises
    `UnknownBatch`.
    """
    of_batch = compute.field("batch_id") == batch if batch else None
    orders = snapshots.table("orders", columns=COLUMNS["orders"], where=of_batch)
    requests = snapshots.table("requests", columns=COLUMNS["requests"], where=of_batch)
    if batch and orders.empty and requests.empty:
        raise UnknownBatch(_unknown(snapshots, batch))
    theirs = compute.field("order_ref").isin(pa.array(orders["order_ref"], pa.string())) if batch else None
    found = {"orders": orders, "requests": requests}
    if not batch:
        found["tracking_events"] = snapshots.sql(FIRST_SCANS)
    others = {name: columns for name, columns in COLUMNS.items() if name not in found}
    return found | {name: snapshots.table(name, columns=columns, where=theirs) for name, columns in others.items()}


def _unknown(snapshots: Snapshots, batch: str) -> str:
    known = snapshots.table("orders", columns=["batch_id", "updated_at"]).dropna(subset="batch_id")
    newest = known.groupby("batch_id")["updated_at"].max().sort_values(ascending=False).index[:3]
    named = f"; the newest are {', '.join(newest)}" if len(newest) else "; there is none yet: sourcing run FILE"
    return f"no snapshot has a batch {batch}{named}"
