"""The figures of a report in words and tables, for terminal, Prefect and page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple, Self

from domain.follow_ups import as_text
from domain.marketplace import Marketplace, product_page
from domain.money import Money, by_currency
from domain.states import NEEDS_A_PERSON, OrderState
from domain.wording import pluralize, shorten
from flows.report.figures import COSTS, LESS, Figures, Rows

ALL = "all"


def amount(minor: Any, currency: Any) -> str:
    return str(Money(int(minor), str(currency)))


def on_hundred(row: dict[str, Any]) -> str:
    """`36.49 USD`: the freight on 100 yuan of goods and postage."""
    paid = Money(int(row["paid_minor"]), row["currency"]).major
    return amount(
        round(int(row["freight_minor"]) * 100 / paid), row["freight_currency"]
    )


def summed(rows: Rows, *by: str) -> list[dict[str, Any]]:
    """Rows in the order of these columns, of which those alike are one."""
    alike = (list(some) for _, some in groupby(rows, itemgetter(*by)))
    return [
        {
            name: sum(row[name] for row in some) if isinstance(value, int) else value
            for name, value in some[0].items()
        }
        for some in alike
    ]


def with_totals(rows: Rows, *currencies: str) -> Iterator[dict[str, Any]]:
    """Rows summed by marketplace, and after those of each currency (or pair of them)
    one for all of it.
    """
    for _, some in groupby(
        summed(rows, *currencies, "marketplace"), itemgetter(*currencies)
    ):
        of_it = list(some)
        yield from of_it
        if len(of_it) > 1:
            yield from summed(
                [{**row, "marketplace": ALL} for row in of_it], *currencies
            )


def percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.1f} %" if whole else ""


def stage(row: dict[str, Any]) -> str:
    return f"{words(row['start'])} → {words(row['end'])}"


def took(seconds: int) -> str:
    """`40 s`, `35 min`, `17.6 h`, `3.8 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return (
                f"{seconds / size:.1f} {unit}"
                if unit != "min"
                else f"{seconds // size} min"
            )
    return f"{seconds} s"


def words(state: str) -> str:
    return str(state).replace("_", " ")


Row = Sequence[str]

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

    `total` is the number of all rows, when `rows` are not all of them, and `whole` the
    command that shows all. `on_paper` marks parts too long for a terminal.
    """

    key: str
    title: str
    columns: Row = ()
    rows: Sequence[Row] = ()
    words: Sequence[str] = ()
    total: int = 0
    whole: str = ALL_FIGURES
    on_paper: bool = False

    @classmethod
    def of(
        cls,
        key: str,
        title: str,
        columns: Sequence[ReportColumn],
        rows: Iterable[dict[str, Any]],
        **further: Any,
    ) -> Self:
        texts = [tuple(column.text(row) for column in columns) for row in rows]
        return cls(
            key=key,
            title=title,
            columns=[column.heading for column in columns],
            rows=texts,
            **further,
        )


class ReportColumn(NamedTuple):
    """A heading, and the text of a row's cell; numbers stand to the right."""

    heading: str
    text: Callable[[dict[str, Any]], str]
    is_number: bool = False


number = partial(ReportColumn, is_number=True)


def text(heading: str, name: str = "") -> ReportColumn:
    return ReportColumn(heading, lambda row: row[name or heading])


def count(heading: str) -> ReportColumn:
    return number(
        heading, lambda row: "" if row[heading] is None else f"{row[heading]:,}"
    )


def money(heading: str, name: str, currency: str = "currency") -> ReportColumn:
    return number(
        heading, lambda row: amount(row[name], row[currency]) if row[currency] else ""
    )


def seconds(heading: str, name: str) -> ReportColumn:
    return number(heading, lambda row: took(row[name]))


def _share(row: dict[str, Any]) -> str:
    """The share of freight in the total; where freight has a currency of its own, the
    freight on 100 paid.
    """
    if not row["paid_minor"]:
        return ""
    if row["currency"] == row["freight_currency"]:
        return percent(row["freight_minor"], row["freight_minor"] + row["paid_minor"])
    return f"{on_hundred(row)} for each {amount(Money.parse(100, row['currency']).minor, row['currency'])}"


def _title(row: dict[str, Any]) -> str:
    title = (
        row["title"]
        if len(row["title"]) <= LONGEST_TITLE
        else f"{row['title'][: LONGEST_TITLE - 1]}…"
    )
    title += (
        f" and {pluralize(row['lines'] - 1, 'further line')}"
        if row["lines"] > 1
        else ""
    )
    return Linked(title, product_page(Marketplace(row["marketplace"]), row["item_id"]))


STATE = ReportColumn("state", lambda row: words(row["state"]))
SALES = (text("marketplace"), count("orders"))
REACHED = (STATE, count("came so far"), count("there now"))
WAITING = (
    text("which"),
    text("state"),
    count("orders"),
    text("reason and remedy", "reason"),
    text("since"),
)
PARCELS = (
    text("order", "order_ref"),
    text("parcel", "tracking_number"),
    text("what the warehouse found", "problem"),
)
SPEND = (*SALES, money("paid", "paid_minor"))
DAYS = (ReportColumn("day", lambda row: row["day"] or "not known"), *SPEND)
LIMITS = (
    *SALES,
    money("limit", "limit_minor"),
    money("paid", "paid_minor"),
    money("saved", "saved_minor"),
    number("of the limit", lambda row: percent(row["saved_minor"], row["limit_minor"])),
)
FREIGHT = (
    *SALES,
    money("freight", "freight_minor", "freight_currency"),
    number(
        "an order",
        lambda row: amount(
            round(row["freight_minor"] / row["orders"]), row["freight_currency"]
        ),
    ),
    number("share", _share),
)
CARRIERS = (
    text("carrier", "company"),
    text("service id", "service"),
    count("orders"),
    money("freight", "freight_minor"),
)
LANDED = (
    *SALES,
    *map(money, ("goods", "postage", "surcharge", "freight"), COSTS),
    number(
        "less", lambda row: amount(-sum(row[part] for part in LESS), row["currency"])
    ),
    money("landed", "landed_minor"),
    number(
        "freight share",
        lambda row: percent(row["landed_freight_minor"], row["landed_minor"]),
    ),
)
REFUNDS = (
    STATE,
    count("refunds"),
    money("asked back", "asked_minor"),
    money("came back", "refunded_minor"),
)
STAGES = (
    ReportColumn("from, to", stage),
    count("orders"),
    seconds("usual", "median_s"),
    seconds("nine of ten within", "most_s"),
    seconds("slowest", "slowest_s"),
)
LISTED = (
    text("order", "order_ref"),
    text("marketplace"),
    STATE,
    ReportColumn("what", _title),
    number(
        "paid",
        lambda row: (
            amount(row["paid_minor"], row["currency"]) if row["paid_minor"] else ""
        ),
    ),
    money("freight", "freight_minor", "freight_currency"),
)
COLUMNS = (
    REACHED,
    WAITING,
    PARCELS,
    SPEND,
    DAYS,
    LIMITS,
    FREIGHT,
    CARRIERS,
    LANDED,
    REFUNDS,
    STAGES,
    LISTED,
)
NUMBERS = {
    column.heading for columns in COLUMNS for column in columns if column.is_number
}


def sections(figures: Figures, timezone: str) -> list[ReportSection]:
    """The non-empty parts of a report; times are of this zone."""
    of = ReportSection.of
    listed = {"total": figures.orders, "whole": _whole(figures, "*"), "on_paper": True}
    parts = (
        _standing(figures),
        _waiting(figures, timezone),
        of("parcels", "Parcels to be checked", PARCELS, figures.parcels),
        of("spend", "What was paid", SPEND, with_totals(figures.spend, "currency")),
        of("days", "Paid day by day", DAYS, _days(figures.spend), on_paper=True),
        _limits(figures),
        _freight(figures),
        of("carriers", "By carrier", CARRIERS, figures.carriers, on_paper=True),
        _landed(figures),
        of("refunds", "Money asked back", REFUNDS, figures.refunds),
        of("stages", "How long it took", STAGES, figures.stages),
        of("orders", "The orders", LISTED, figures.listed, **listed),
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
    waits = sum(row["orders"] for row in figures.waiting)
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


def _money(name: str, rows: Rows, currency: str, column: str) -> list[tuple[str, str]]:
    sums = by_currency(Money(row[column], row[currency]) for row in rows)
    return [(name, str(total)) for _, total in sorted(sums.items()) if total.minor]


def _there(figures: Figures, state: str) -> int:
    return sum(row["orders"] for row in figures.standing if row["state"] == state)


def _standing(figures: Figures) -> ReportSection:
    reached, now = (
        {row["state"]: row["orders"] for row in rows}
        for rows in (figures.reached, figures.standing)
    )
    rows = [
        {
            "state": state,
            "came so far": reached.get(state),
            "there now": now.get(state, 0),
        }
        for state in dict.fromkeys([*reached, *now] if figures.orders else [])
    ]
    plan_only = (
        f"Nothing was bought yet: a plan of {pluralize(figures.lines_asked, 'line')}."
    )
    told = [] if figures.orders or not figures.lines_asked else [plan_only]
    return ReportSection.of(
        "standing", "Where the orders stand", REACHED, rows, words=told
    )


def _waiting(figures: Figures, timezone: str) -> ReportSection:
    rows = [
        {
            **row,
            "which": _named(row["order_refs"], row["orders"]),
            "since": as_text(row["since"], timezone) if row["since"] else "",
        }
        for row in figures.waiting
    ]
    states = [state for state in NEEDS_A_PERSON if _there(figures, state)]
    told = [
        *(f"{state}: {REMEDIES[state]}." for state in states),
        *([TODO] if rows else []),
    ]
    whole = _whole(
        figures, "order_ref, state, reason", "state in ('held', 'refused', 'unknown')"
    )
    return ReportSection.of(
        "waiting", "What waits for you", WAITING, rows, words=told, whole=whole
    )


def _days(spend: Rows) -> Rows:
    """Day by day, when there is more than one; the newest first."""
    return (
        sorted(spend, key=itemgetter("day"), reverse=True)
        if len({row["day"] for row in spend}) > 1
        else []
    )


def _limits(figures: Figures) -> ReportSection:
    rows = with_totals(figures.limits, "currency")
    orders = pluralize(figures.not_compared, "paid order")
    without = f"{orders} not compared: no limit on each line, in the same currency."
    told = [without] if figures.not_compared else []
    return ReportSection.of(
        "limits", "Your limits, and what the goods cost", LIMITS, rows, words=told
    )


def _freight(figures: Figures) -> ReportSection:
    rows = with_totals(figures.freight, "currency", "freight_currency")
    orders = pluralize(figures.freight_unknown, "booked order")
    told = (
        [f"{orders} without a known freight: the service does not show it."]
        if figures.freight_unknown
        else []
    )
    return ReportSection.of("freight", "Freight abroad", FREIGHT, rows, words=told)


def _landed(figures: Figures) -> ReportSection:
    rows = with_totals(figures.landed, "currency")
    unsummed = figures.unsummed[:MOST_PROBLEMS]
    told = [
        f"{pluralize(row['orders'], 'order')} without a sum: {row['problem']}."
        for row in unsummed
    ]
    if figures.not_costed:
        orders = pluralize(figures.not_costed, "paid order")
        told.append(
            f"{orders} not worked out yet: sourcing costs, with your exchange rates."
        )
    return ReportSection.of("landed", "Landed cost", LANDED, rows, words=told)


def _named(refs: Sequence[str], count: int) -> str:
    more = count - len(refs)
    return shorten(refs, len(refs)) + (f" and {more:,} more" if more > 0 else "")


def _whole(figures: Figures, columns: str, which: str = "") -> str:
    conditions = " and ".join(
        filter(None, (f"batch_id = '{figures.batch}'" if figures.batch else "", which))
    )
    query = f"select {columns} from orders" + (
        f" where {conditions}" if conditions else ""
    )
    return f'sourcing sql "{query}"'


def rest(part: ReportSection, shown: int) -> str:
    """The words below the first rows of a table; empty where they are all."""
    more = max(part.total, len(part.rows)) - shown
    return f"and {more:,} more: see all with {part.whole}" if more > 0 else ""
