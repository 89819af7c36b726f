"""The figures of a report in words and tables, for terminal, Prefect and page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

from connectors.snapshots.rows import records
from domain.follow_ups import as_text
from domain.marketplace import Marketplace, product_page
from domain.money import Money
from domain.states import NEEDS_A_PERSON, OrderState
from domain.wording import pluralize, shorten
from flows.report.figures import COSTS, LESS, Figures

ALL = "all"


def amount(minor: Any, currency: Any) -> str:
    return str(Money(int(minor), str(currency)))


def on_hundred(row: dict[str, Any]) -> str:
    """`36.49 USD`: the freight on 100 yuan of goods and postage."""
    paid = Money(int(row["paid_minor"]), row["currency"]).major
    return amount(round(int(row["freight_minor"]) * 100 / paid), row["freight_currency"])


def with_totals(frame: pd.DataFrame, currencies: list[str], keys: list[str]) -> Iterator[dict[str, Any]]:
    """Rows summed by their keys, and after those of each currency (or pair of them) one for all of it."""
    numbers = [name for name in frame.columns if frame[name].dtype == "int64"]
    for _, one in frame.groupby(currencies):
        rows = records(one.groupby([*currencies, *keys])[numbers].sum().reset_index())
        yield from rows
        if len(rows) > 1:
            yield {**rows[0], **{name: int(one[name].sum()) for name in numbers}, keys[0]: ALL}


def percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else ""


def stage(row: dict[str, Any]) -> str:
    return f"{words(row['start'])} → {words(row['end'])}"


def took(seconds: int) -> str:
    """`40 s`, `35 min`, `17.6 h`, `3.8 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}" if unit != "min" else f"{seconds // size} min"
    return f"{seconds} s"


def words(state: str) -> str:
    return str(state).replace("_", " ")


Row = Sequence[str]

NUMBERS = {
    "orders",
    "refunds",
    "came so far",
    "there now",
    "paid",
    "limit",
    "saved",
    "of the limit",
    "freight",
    "an order",
    "share",
    "goods",
    "postage",
    "surcharge",
    "less",
    "landed",
    "freight share",
    "usual",
    "nine of ten within",
    "slowest",
    "asked back",
    "came back",
}
"""Columns that stand to the right."""
REMEDIES = {
    OrderState.UNKNOWN: "run the same file again 17 minutes after the call; where the reason asks, sourcing resolve",
    OrderState.HELD: "do what the reason says, then run the same file again",
    OrderState.REFUSED: "change the line or drop it, then run the file again",
}
TODO = "Each with its command: sourcing todo"
LONGEST_TITLE = 80
MOST_PROBLEMS = 5
ALL_FIGURES = "sourcing report --json"


class Linked(str):
    """The text of a cell that leads to an address, where there is one."""

    address: str

    def __new__(cls, text: str, address: str) -> Self:
        made = super().__new__(cls, text)
        made.address = address
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """One part of a report: a table, the words above it, and the `key` of its chart.

    `total` is the number of all rows, when `rows` are not all of them, and `whole` the command that shows all.
    `on_paper` marks parts too long for a terminal.
    """

    key: str
    title: str
    columns: Row = ()
    rows: Sequence[Row] = ()
    words: Sequence[str] = ()
    total: int = 0
    whole: str = ALL_FIGURES
    on_paper: bool = False


def sections(figures: Figures, timezone: str) -> list[ReportSection]:
    """The non-empty parts of a report; times are of this zone."""
    parts = (
        _standing(figures),
        _waiting(figures, timezone),
        _parcels(figures),
        _spend(figures),
        _days(figures),
        _limits(figures),
        _freight(figures),
        _carriers(figures),
        _landed(figures),
        _refunds(figures),
        _stages(figures),
        _listed(figures),
    )
    return [part for part in parts if part.rows or part.words]


def heading(figures: Figures) -> str:
    return f"Batch {figures.batch}" if figures.batch else "All orders"


def moment(figures: Figures, timezone: str) -> str:
    """The time of the newest row."""
    return (
        f"as of {as_text(figures.as_of, timezone)} {timezone}"
        if figures.as_of
        else "nothing is there yet: sourcing run FILE"
    )


def totals(figures: Figures) -> list[tuple[str, str]]:
    """The leading figures, each with its name; of money one a currency."""
    waits = int(figures.waiting["orders"].sum())
    delivered = _there(figures, OrderState.DELIVERED)
    return [
        ("orders", f"{figures.orders:,}"),
        ("wait for you", f"{waits:,}"),
        ("delivered", f"{delivered:,}"),
        *_money("paid", figures.spend, "currency", "paid_minor"),
        *_money("below your limits", figures.limits, "currency", "saved_minor"),
        *_money("freight abroad", figures.freight, "freight_currency", "freight_minor"),
        *_money("landed cost", figures.landed, "currency", "landed_minor"),
        *_money("came back", figures.refunds, "currency", "refunded_minor"),
    ]


def _money(name: str, frame: pd.DataFrame, currency: str, column: str) -> list[tuple[str, str]]:
    sums = frame.groupby(currency)[column].sum()
    return [(name, amount(minor, key)) for key, minor in sums.items() if minor]


def _there(figures: Figures, state: str) -> int:
    return int(figures.standing.loc[figures.standing["state"] == state, "orders"].sum())


def _standing(figures: Figures) -> ReportSection:
    reached = {str(row["state"]): int(row["orders"]) for row in records(figures.reached)}
    now = {str(row["state"]): int(row["orders"]) for row in records(figures.standing)}
    rows = [
        (words(state), f"{reached[state]:,}" if state in reached else "", f"{now.get(state, 0):,}")
        for state in dict.fromkeys([*reached, *now])
    ]
    plan_only = f"Nothing was bought yet: a plan of {pluralize(figures.lines_asked, 'line')}."
    return ReportSection(
        key="standing",
        title="Where the orders stand",
        columns=("state", "came so far", "there now"),
        rows=rows if figures.orders else [],
        words=[] if figures.orders or not figures.lines_asked else [plan_only],
    )


def _waiting(figures: Figures, timezone: str) -> ReportSection:
    rows = [
        (
            _named(row["order_refs"], row["orders"]),
            str(row["state"]),
            f"{row['orders']:,}",
            row["reason"],
            "" if pd.isna(row["since"]) else as_text(row["since"], timezone),
        )
        for row in records(figures.waiting)
    ]
    states = [state for state in NEEDS_A_PERSON if _there(figures, state)]
    return ReportSection(
        key="waiting",
        title="What waits for you",
        columns=("which", "state", "orders", "reason and remedy", "since"),
        rows=rows,
        words=[*(f"{state}: {REMEDIES[state]}." for state in states), *([TODO] if rows else [])],
        whole=_whole(figures, "order_ref, state, reason", "state in ('held', 'refused', 'unknown')"),
    )


def _spend(figures: Figures) -> ReportSection:
    rows = [
        (row["marketplace"], f"{row['orders']:,}", amount(row["paid_minor"], row["currency"]))
        for row in with_totals(figures.spend, ["currency"], ["marketplace"])
    ]
    return ReportSection(key="spend", title="What was paid", columns=("marketplace", "orders", "paid"), rows=rows)


def _days(figures: Figures) -> ReportSection:
    """Day by day, when there is more than one; the newest first."""
    spend = figures.spend.sort_values(["day", "currency", "marketplace"], ascending=[False, True, True])
    several = spend["day"].nunique() > 1
    rows = [
        (
            row["day"] or "not known",
            row["marketplace"],
            f"{row['orders']:,}",
            amount(row["paid_minor"], row["currency"]),
        )
        for row in records(spend)
    ]
    return ReportSection(
        key="days",
        title="Paid day by day",
        columns=("day", "marketplace", "orders", "paid"),
        rows=rows if several else [],
        on_paper=True,
    )


def _limits(figures: Figures) -> ReportSection:
    rows = [
        (
            row["marketplace"],
            f"{row['orders']:,}",
            *(amount(row[column], row["currency"]) for column in ("limit_minor", "paid_minor", "saved_minor")),
            percent(row["saved_minor"], row["limit_minor"]),
        )
        for row in with_totals(figures.limits, ["currency"], ["marketplace"])
    ]
    without = (
        f"{pluralize(figures.not_compared, 'paid order')} not compared: no limit on each line, in the same currency."
    )
    return ReportSection(
        key="limits",
        title="Your limits, and what the goods cost",
        columns=("marketplace", "orders", "limit", "paid", "saved", "of the limit"),
        rows=rows,
        words=[without] if figures.not_compared else [],
    )


def _freight(figures: Figures) -> ReportSection:
    rows = [
        (
            row["marketplace"],
            f"{row['orders']:,}",
            amount(row["freight_minor"], row["freight_currency"]),
            amount(round(row["freight_minor"] / row["orders"]), row["freight_currency"]),
            _share(row),
        )
        for row in with_totals(figures.freight, ["currency", "freight_currency"], ["marketplace"])
    ]
    unknown = (
        f"{pluralize(figures.freight_unknown, 'booked order')} without a known freight: the service does not show it."
    )
    return ReportSection(
        key="freight",
        title="Freight abroad",
        columns=("marketplace", "orders", "freight", "an order", "share"),
        rows=rows,
        words=[unknown] if figures.freight_unknown else [],
    )


def _share(row: dict[str, Any]) -> str:
    """The share of freight in the total; where freight has a currency of its own, the freight on 100 paid."""
    if not row["paid_minor"]:
        return ""
    if row["currency"] == row["freight_currency"]:
        return percent(row["freight_minor"], row["freight_minor"] + row["paid_minor"])
    return f"{on_hundred(row)} for each {amount(Money.parse(100, row['currency']).minor, row['currency'])}"


def _carriers(figures: Figures) -> ReportSection:
    rows = [
        (row["company"], row["service"], f"{row['orders']:,}", amount(row["freight_minor"], row["currency"]))
        for row in records(figures.carriers)
    ]
    return ReportSection(
        key="carriers",
        title="By carrier",
        columns=("carrier", "service id", "orders", "freight"),
        rows=rows,
        on_paper=True,
    )


def _landed(figures: Figures) -> ReportSection:
    rows = [
        (
            row["marketplace"],
            f"{row['orders']:,}",
            *(amount(row[part], row["currency"]) for part in COSTS),
            amount(-sum(row[part] for part in LESS), row["currency"]),
            amount(row["landed_minor"], row["currency"]),
            percent(row["landed_freight_minor"], row["landed_minor"]),
        )
        for row in with_totals(figures.landed, ["currency"], ["marketplace"])
    ]
    problems = [
        f"{pluralize(row['orders'], 'order')} without a sum: {row['problem']}." for row in records(figures.unsummed)
    ]
    missing = (
        f"{pluralize(figures.not_costed, 'paid order')} not worked out yet: sourcing costs, with your exchange rates."
    )
    return ReportSection(
        key="landed",
        title="Landed cost",
        columns=(
            "marketplace",
            "orders",
            "goods",
            "postage",
            "surcharge",
            "freight",
            "less",
            "landed",
            "freight share",
        ),
        rows=rows,
        words=[*problems[:MOST_PROBLEMS], *([missing] if figures.not_costed else [])],
    )


def _refunds(figures: Figures) -> ReportSection:
    rows = [
        (
            words(row["state"]),
            f"{row['refunds']:,}",
            *(amount(row[c], row["currency"]) for c in ("asked_minor", "refunded_minor")),
        )
        for row in records(figures.refunds)
    ]
    columns = ("state", "refunds", "asked back", "came back")
    return ReportSection(key="refunds", title="Money asked back", columns=columns, rows=rows)


def _parcels(figures: Figures) -> ReportSection:
    rows = [(row["order_ref"], row["tracking_number"], row["problem"]) for row in records(figures.parcels)]
    columns = ("order", "parcel", "what the warehouse found")
    return ReportSection(key="parcels", title="Parcels to be checked", columns=columns, rows=rows)


def _stages(figures: Figures) -> ReportSection:
    rows = [
        (stage(row), f"{row['orders']:,}", *(took(row[column]) for column in ("median_s", "most_s", "slowest_s")))
        for row in records(figures.stages)
    ]
    columns = ("from, to", "orders", "usual", "nine of ten within", "slowest")
    return ReportSection(key="stages", title="How long it took", columns=columns, rows=rows)


def _listed(figures: Figures) -> ReportSection:
    rows = [
        (
            row["order_ref"],
            row["marketplace"],
            words(row["state"]),
            Linked(_title(row), product_page(Marketplace(row["marketplace"]), row["item_id"])),
            amount(row["paid_minor"], row["currency"]) if row["paid_minor"] else "",
            amount(row["freight_minor"], row["freight_currency"]) if isinstance(row["freight_currency"], str) else "",
        )
        for row in records(figures.listed)
    ]
    return ReportSection(
        key="orders",
        title="The orders",
        columns=("order", "marketplace", "state", "what", "paid", "freight"),
        rows=rows,
        total=figures.orders,
        whole=_whole(figures, "*"),
        on_paper=True,
    )


def _title(row: dict[str, Any]) -> str:
    title = row["title"] if len(row["title"]) <= LONGEST_TITLE else f"{row['title'][: LONGEST_TITLE - 1]}…"
    return title + (f" and {pluralize(row['lines'] - 1, 'further line')}" if row["lines"] > 1 else "")


def _named(refs: Sequence[str], count: int) -> str:
    more = count - len(refs)
    return shorten(refs, len(refs)) + (f" and {more:,} more" if more > 0 else "")


def _whole(figures: Figures, columns: str, which: str = "") -> str:
    conditions = " and ".join(filter(None, (f"batch_id = '{figures.batch}'" if figures.batch else "", which)))
    query = f"select {columns} from orders" + (f" where {conditions}" if conditions else "")
    return f'sourcing sql "{query}"'


def rest(part: ReportSection, shown: int) -> str:
    """The words below the first rows of a table; empty where they are all."""
    more = max(part.total, len(part.rows)) - shown
    return f"and {more:,} more: see all with {part.whole}" if more > 0 else ""
