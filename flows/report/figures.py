"""The figures of a batch or of everything: sums that DuckDB makes of the snapshot
tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from connectors.snapshots.reader import arrow_answer, arrow_answers
from domain.landed import NOT_PAID
from domain.reason_codes import ReasonCode
from domain.service_orders import GONE_BACK, TraceStatus
from domain.states import NEEDS_A_PERSON, ROAD, OrderState

S = OrderState
STEPS = tuple(state for state in ROAD if state is not S.PAYMENT_PENDING)
MOMENTS = (S.ORDERED, S.PAID, S.BOOKED)
STAGES = [*pairwise(STEPS[1:]), (S.ORDERED, S.DELIVERED)]
COSTS = (
    "landed_goods_minor",
    "landed_postage_minor",
    "landed_surcharge_minor",
    "landed_freight_minor",
)
LESS = ("landed_discount_minor", "landed_refunded_minor")
MOST_LISTED = 200
MOST_NAMED = 10
CLOCKS_S = 60

Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a report shows. `batch` is empty for everything; `as_of` is the newest row's
    moment, None without rows.

    `not_compared` are paid orders that `limits` leaves out, but for refunded ones,
    `freight_unknown` booked orders that `freight` does, `not_costed` paid orders that
    the table `landed_costs` does not have. The rows have these names:

    - `standing`: state, orders; along the road, then off it. `reached`: state, orders
      that came at least so far, where one that left the road counts as far as its times
      show
    - `spend`: currency, marketplace, day, orders, paid_minor
    - `limits`: currency, marketplace, orders, limit_minor, paid_minor (the goods),
      saved_minor
    - `freight`: marketplace, currency, freight_currency, orders, paid_minor,
      freight_minor
    - `carriers`: company, service, currency, orders, freight_minor
    - `landed`: currency, marketplace, orders, `COSTS`, `LESS`, landed_minor.
      `unsummed`: problem, orders
    - `refunds`: currency, state, refunds, asked_minor, refunded_minor
    - `stages`: start, end, orders, and in seconds median_s, most_s (of nine in ten),
      slowest_s
    - `parcels`: order_ref, tracking_number, problem: those at the warehouse that need a
      look
    - `waiting`: state, reason, reason_code, orders, order_refs (the first
      `MOST_NAMED`), since: one for each cause
    - `listed`: the first `MOST_LISTED` orders, those that wait for a person before
      others
    """

    batch: str
    as_of: datetime | None
    orders: int
    lines_asked: int
    not_compared: int
    freight_unknown: int
    not_costed: int
    standing: Rows
    reached: Rows
    spend: Rows
    limits: Rows
    freight: Rows
    carriers: Rows
    landed: Rows
    unsummed: Rows
    refunds: Rows
    stages: Rows
    parcels: Rows
    waiting: Rows
    listed: Rows

    def to_json(self) -> dict[str, Any]:
        """Plain values; times in ISO 8601."""
        plain: dict[str, Any] = json.loads(
            json.dumps(asdict(self), default=datetime.isoformat)
        )
        return plain


ORDERS = """
WITH asked AS (SELECT * FROM requests WHERE $batch = '' OR batch_id = $batch),
bare AS (SELECT * FROM orders WHERE $batch = '' OR batch_id = $batch),
charged AS (
    SELECT order_ref, shipment_order_id, company, fee_minor, currency AS fee_currency FROM shipments
),
mine AS (
    SELECT bare.* EXCLUDE (freight_minor, freight_currency), company, charged.order_ref IS NOT NULL AS is_shown,
        CASE WHEN fee_currency IS NULL THEN freight_minor ELSE fee_minor END AS freight_minor,
        coalesce(fee_currency, freight_currency) AS freight_currency
    FROM bare LEFT JOIN charged USING (order_ref, shipment_order_id)
)"""
"""The orders with the freight that the booking charged, where it is known, as the
landed cost has it.
"""
THEIRS = "($batch = '' OR order_ref IN (SELECT order_ref FROM mine))"
COSTED = f", costs AS (SELECT * FROM landed_costs WHERE {THEIRS} AND coalesce(problem, '') <> $not_paid)"

OWN = "{0}.order_ref = {1}.order_ref AND {0}.batch_id = {1}.batch_id AND line_no <= coalesce(line_count, line_no)"
TOOK = " UNION ALL ".join(
    f"SELECT {place} AS nr, '{start}' AS start, '{end}' AS \"end\", epoch({end}) - epoch({start}) AS took FROM moments"
    for place, (start, end) in enumerate(STAGES)
)

QUERIES = {
    "counts": f"""{COSTED}
SELECT count(*) AS orders, count(*) FILTER (paid_minor > 0 AND state <> 'refunded') AS paid,
    count(*) FILTER (shipment_order_id IS NOT NULL AND freight_currency IS NULL) AS freight_unknown,
    count(*) FILTER (paid_minor > 0 AND order_ref NOT IN (SELECT order_ref FROM costs)) AS not_costed,
    (SELECT count(*) FROM asked) AS lines_asked,
    greatest(max(snapshot_at), (SELECT max(snapshot_at) FROM asked)) AS as_of
FROM mine""",
    "standing": " SELECT state, count(*) AS orders FROM mine GROUP BY state ORDER BY list_position($states, state)",
    "reached": """, came AS (
    SELECT greatest(coalesce(list_position($road, state), 1), CASE WHEN created_at IS NOT NULL THEN $ordered ELSE 1 END,
        CASE WHEN paid_at IS NOT NULL THEN $paid ELSE 1 END, CASE WHEN booked_at IS NOT NULL THEN $booked ELSE 1 END
    ) AS far FROM mine
)
SELECT state, (SELECT count(*) FROM came WHERE far >= list_position($road, state)) AS orders
FROM (SELECT unnest($steps) AS state) ORDER BY list_position($road, state)""",
    "spend": f""", days AS (
    SELECT currency, marketplace, amount_minor, coalesce(strftime(timezone($zone, paid_at), '%Y-%m-%d'), '') AS day
    FROM payments WHERE amount_minor > 0 AND {THEIRS}
)
SELECT currency, marketplace, day, count(*) AS orders, sum(amount_minor)::BIGINT AS paid_minor
FROM days GROUP BY ALL ORDER BY ALL""",
    # What the goods of paid orders, not refunded ones, might have cost by the request's
    # limits, and what they did cost. Compared are orders that have a limit on each
    # line, in the currency that they were paid in. What was paid above or below the
    # quote is the goods' difference.
    "limits": f""", allowed AS (
    SELECT order_ref, sum(max_unit_price_minor * quantity) AS limit_minor, arg_min(currency, line_no) AS limit_currency
    FROM asked SEMI JOIN bare ON {OWN.format("asked", "bare")}
    GROUP BY order_ref HAVING bool_and(max_unit_price_minor > 0)
),
goods AS (
    SELECT order_ref, sum(amount_minor) AS goods_minor
    FROM order_lines SEMI JOIN bare ON {OWN.format("order_lines", "bare")} GROUP BY order_ref
),
compared AS (
    SELECT currency, marketplace, limit_minor,
        goods_minor + CASE WHEN quoted_minor > 0 THEN paid_minor - quoted_minor ELSE 0 END AS cost_minor
    FROM mine JOIN allowed USING (order_ref) JOIN goods USING (order_ref)
    WHERE paid_minor > 0 AND state <> 'refunded' AND limit_currency = currency
)
SELECT currency, marketplace, count(*) AS orders, sum(limit_minor)::BIGINT AS limit_minor,
    sum(cost_minor)::BIGINT AS paid_minor, sum(limit_minor - cost_minor)::BIGINT AS saved_minor
FROM compared GROUP BY ALL ORDER BY ALL""",
    # International freight of booked orders beside what was paid for them, which may be
    # in another currency.
    "freight": """
SELECT marketplace, currency, freight_currency, count(*) AS orders, sum(paid_minor)::BIGINT AS paid_minor,
    sum(freight_minor)::BIGINT AS freight_minor
FROM mine WHERE shipment_order_id IS NOT NULL AND freight_currency IS NOT NULL
GROUP BY ALL ORDER BY currency, freight_currency, marketplace""",
    "carriers": """, booked AS (
    SELECT coalesce(company, '') AS company, coalesce(freight_service, '') AS service, freight_currency AS currency,
        freight_minor
    FROM mine WHERE is_shown AND freight_currency IS NOT NULL
)
SELECT company, service, currency, count(*) AS orders, sum(freight_minor)::BIGINT AS freight_minor
FROM booked GROUP BY ALL ORDER BY freight_minor DESC, company, service, currency""",
    "landed": f"""{COSTED}
SELECT landed_currency AS currency, marketplace, count(DISTINCT order_ref) AS orders,
    {", ".join(f"coalesce(sum({name}), 0)::BIGINT AS {name}" for name in (*COSTS, *LESS, "landed_minor"))}
FROM costs WHERE landed_minor IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "unsummed": f"""{COSTED},
why AS (
    SELECT coalesce(arg_min(problem, line_no), '') AS problem FROM costs WHERE landed_minor IS NULL GROUP BY order_ref
)
SELECT problem, count(*) AS orders FROM why GROUP BY problem ORDER BY orders DESC, problem""",
    "refunds": f""", theirs AS (SELECT * FROM refunds WHERE {THEIRS})
SELECT currency, state, count(*) AS refunds, sum(asked_minor)::BIGINT AS asked_minor,
    sum(refunded_minor)::BIGINT AS refunded_minor
FROM theirs GROUP BY ALL ORDER BY ALL""",
    # How long orders took from each step to the next, and from ordered to delivered, in
    # seconds. The ledger has the times of our own steps, the carriers' scans the rest:
    # a step that the order's state does not have yet (a second parcel may be on its
    # way) has no time; parcels that went back are signed by no customer. An order
    # counts where both moments are known. Of a start that lies after its end the clocks
    # disagree: up to `CLOCKS_S` that is no time at all, beyond it the order does not
    # count. An order paid after the ledger last wrote to it is one of a service whose
    # clock is ahead, as a sandbox's may be: its own two steps are not compared with the
    # service's.
    "stages": f""", scanned AS (
    SELECT order_ref, tracking_number, min(occurred_at) AS first_at,
        min(occurred_at) FILTER (status = $sign) AS signed_at, bool_or(status IN (SELECT unnest($gone_back))) AS is_back
    FROM tracking_events WHERE {THEIRS} GROUP BY order_ref, tracking_number
),
scans AS (
    SELECT scanned.*, coalesce(list_contains(tracking_numbers, tracking_number), false) AS is_abroad
    FROM scanned JOIN (SELECT order_ref, tracking_numbers FROM bare) USING (order_ref)
),
parcels AS (
    SELECT order_ref, min(first_at) FILTER (NOT is_abroad) AS shipped, min(first_at) FILTER (is_abroad) AS in_transit,
        max(signed_at) FILTER (NOT is_abroad AND NOT is_back) AS in_warehouse,
        max(signed_at) FILTER (is_abroad AND NOT is_back) AS delivered
    FROM scans GROUP BY order_ref
),
moments AS (
    SELECT CASE WHEN is_ours THEN created_at END AS ordered, paid_at AS paid,
        CASE WHEN is_ours THEN booked_at END AS booked, {
        ", ".join(
            f"CASE WHEN list_position($road, state) >= {ROAD.index(step) + 1} THEN {step} END AS {step}"
            for step in STEPS[STEPS.index(S.SHIPPED) :]
        )
    }
    FROM (SELECT *, coalesce(epoch(paid_at) <= epoch(updated_at) + $clocks_s, true) AS is_ours FROM bare)
    LEFT JOIN parcels USING (order_ref)
),
took AS (SELECT * REPLACE (greatest(took, 0) AS took) FROM ({
        TOOK
    }) WHERE took >= -$clocks_s)
SELECT start, "end", count(*) AS orders, round(quantile_cont(took, 0.5))::BIGINT AS median_s,
    round(quantile_cont(took, 0.9))::BIGINT AS most_s, round(max(took))::BIGINT AS slowest_s
FROM took GROUP BY nr, start, "end" ORDER BY nr""",
    "parcels": f"""
SELECT order_ref, tracking_number, problem FROM parcels_received WHERE problem IS NOT NULL AND {THEIRS}
ORDER BY order_ref, tracking_number""",
    # Orders that wait for a person, a row for each cause: its code, where a program of
    # today wrote one, else its words.
    "waiting": f""", told AS (
    SELECT order_ref, state, coalesce(reason, '') AS reason, coalesce(reason_code, '') AS reason_code, updated_at,
        CASE WHEN coalesce(reason_code, '') IN ('', $earlier) THEN coalesce(reason, '') ELSE reason_code END AS cause
    FROM bare WHERE state IN (SELECT unnest($needs))
)
SELECT state, CASE WHEN count(DISTINCT reason) > 1
        THEN replace(arg_min(reason_code, order_ref), '_', ' ') || '. The first: ' ELSE '' END
        || arg_min(reason, order_ref) AS reason,
    arg_min(reason_code, order_ref) AS reason_code, count(*) AS orders, min(order_ref, {MOST_NAMED}) AS order_refs,
    min(updated_at) AS since
FROM told GROUP BY state, cause ORDER BY list_position($needs, state), orders DESC, min(order_ref)""",
    "listed": f""", first_of AS (
    SELECT *, list_position($ranks, state) AS rank FROM mine ORDER BY rank, order_ref LIMIT {MOST_LISTED}
),
lines AS (
    SELECT order_ref, arg_min(title, line_no) AS title, arg_min(item_id, line_no) AS item_id, count(*) AS lines
    FROM order_lines SEMI JOIN first_of ON {OWN.format("order_lines", "first_of")} GROUP BY order_ref
)
SELECT order_ref, marketplace, state, coalesce(title, '') AS title, coalesce(item_id, '') AS item_id,
    coalesce(lines, 0) AS lines, paid_minor, currency, freight_minor, freight_currency
FROM first_of LEFT JOIN lines USING (order_ref) ORDER BY rank, order_ref""",
}
PARAMETERS: dict[str, object] = {
    "not_paid": NOT_PAID,
    "road": [*ROAD],
    "steps": [*STEPS],
    "states": [*ROAD, *NEEDS_A_PERSON, S.CANCELLED, S.REFUNDING, S.REFUNDED],
    "ranks": [*NEEDS_A_PERSON, *ROAD, S.REFUNDING, S.REFUNDED, S.CANCELLED],
    "needs": [*NEEDS_A_PERSON],
    "earlier": ReasonCode.EARLIER,
    "gone_back": [*GONE_BACK],
    "sign": TraceStatus.SIGN,
    "clocks_s": CLOCKS_S,
    **{state: ROAD.index(state) + 1 for state in MOMENTS},
}

Ask = Callable[[Mapping[str, str], Mapping[str, object]], Mapping[str, pa.Table]]
"""Answers queries, by name, each with those of the parameters that it names."""


def report(root: Path, batch: str, timezone: str) -> Figures:
    """The figures of a batch or, without one, of everything, as the tables stand.
    Raises `UnknownBatch`.
    """
    made = figures(partial(arrow_answers, root), batch=batch, timezone=timezone)
    if batch and not (made.orders or made.lines_asked):
        raise UnknownBatch(_unknown(root, batch))
    return made


def figures(ask: Ask, *, batch: str, timezone: str) -> Figures:
    """All figures of a batch's orders, or of all; days are of this zone.

    Rows of a batch's orders are found by their `order_ref`, since tracking and refunds
    belong to no one batch.
    """
    given = {**PARAMETERS, "batch": batch, "zone": timezone}
    answers = ask({name: ORDERS + query for name, query in QUERIES.items()}, given)
    told: dict[str, Any] = {name: table.to_pylist() for name, table in answers.items()}
    (counts,) = told.pop("counts")
    not_compared = counts.pop("paid") - sum(row["orders"] for row in told["limits"])
    return Figures(batch=batch, not_compared=not_compared, **counts, **told)


class UnknownBatch(Exception):
    """No snapshot has an order or a plan of this batch; the message names those that
    there are.
    """


NEWEST = """SELECT batch_id FROM orders WHERE batch_id IS NOT NULL
GROUP BY batch_id ORDER BY max(updated_at) DESC NULLS LAST, batch_id LIMIT 3"""


def _unknown(root: Path, batch: str) -> str:
    newest = arrow_answer(root, NEWEST)["batch_id"].to_pylist()
    named = (
        f"; the newest are {', '.join(newest)}"
        if newest
        else "; there is none yet: sourcing run FILE"
    )
    return f"no snapshot has a batch {batch}{named}"
