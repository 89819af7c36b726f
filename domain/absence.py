"""When not seeing an effect proves that it did not happen: types that can't be made
without their witnesses.

```
NotHappened ├── Absent # it could arrive no more when the service was asked, and a
reading would have shown it: │ ├── Between # two orders of ours in that reading, one
older, one at its young end │ └── OwnRecord # the record that would change by it ├──
NeverLeft # provably not sent └── Harmless # doing it again changes nothing
```
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from domain.money import Money
from domain.orders import OrderLine
from domain.service_orders import Goods, ReferenceField, ServiceOrder, ServiceStatus
from domain.witnessed import Contradicted, Kind, Lack, Open, Source, Statement

CLOCKS_APART = timedelta(minutes=10)
ZONES_APART = timedelta(days=1)
LISTS_BEHIND = timedelta(minutes=30)
"""Every order is listed by then. Some lists are read from copies that lag by twenty
minutes.
"""
SEARCH_BACK_DAYS = 30
"""How far back orders of ours are looked for that this ledger does not know: an order
that waits longer is in its ledger, or over.
"""
LEAST_CUT = 8
"""A reference of so many letters and digits may be the beginning of a longer one that
was cut.
"""
EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """An order of ours that is known to be at the service since `ordered_at` (UTC): a
    reading should show it.
    """

    order_ref: str
    order_id: str
    ordered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Misread:
    """A listed row that does not fit the contract at `field`, and what can be read of
    it: without an id, nothing.
    """

    field: str
    order_id: str = ""
    names: tuple[str, ...] = ()
    created_at: datetime | None = None
    status: ServiceStatus = ServiceStatus.OTHER

    def __str__(self) -> str:
        return f"{self.order_id or 'a row without a readable id'}, `{self.field}`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one reading of a marketplace's orders showed.

    `found` has the orders under each reference that was asked for, controls among them.
    `listed` is every order read, empty where the marketplace is asked for references
    alone. `lacks` says why an order may be missing all the same; rows that can't be
    read are in `misread`. `ended`: read to an empty page. `covers`: what was created
    since then (UTC) would stand on its first page; None where that is not known.
    `unbroken`: what was created between two orders that it shows would stand between
    them.
    """

    found: Mapping[str, Sequence[ServiceOrder]]
    listed: Sequence[ServiceOrder] = ()
    lacks: Lack | None = None
    misread: Sequence[Misread] = ()
    ended: bool = False
    covers: datetime | None = None
    unbroken: bool = False

    @property
    def shown(self) -> list[ServiceOrder]:
        """Every order of the reading, each once."""
        orders = (
            shown_order
            for service_order in (self.listed, *self.found.values())
            for shown_order in service_order
        )
        return list({order.order_id: order for order in orders}.values())

    @property
    def rows(self) -> list[ServiceOrder | Misread]:
        """Every order that it shows, and every row that does not fit."""
        return [*self.shown, *self.misread]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A create that may have been carried out: where it put our reference, and when.

    It may have left from `at` on (UTC); what is not there by `until` never arrives.
    """

    order_ref: str
    places: frozenset[ReferenceField]
    at: datetime
    until: datetime

    def is_after(self, order: Control) -> bool:
        return order.ordered_at <= self.at - CLOCKS_APART

    def is_before(self, order: Control) -> bool:
        return order.ordered_at >= self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPage:
    """The young end of a reading of `read_at` whose first page reaches back to `since`
    (UTC).
    """

    since: datetime
    read_at: datetime

    def covers(self, sent: Sent) -> bool:
        return self.since <= sent.at - CLOCKS_APART and self.read_at >= caught_up(sent)


def caught_up(sent: Sent) -> datetime:
    """From when on a list shows what was sent, if it ever arrived."""
    return sent.until + LISTS_BEHIND


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """Two witnesses in the reading that does not show what was sent; it shows orders of
    ours in the same place.
    """

    sent: Sent
    older: Control
    younger: Control | FirstPage

    def __post_init__(self) -> None:
        young = self.younger
        is_young = (
            self.sent.is_before(young)
            if isinstance(young, Control)
            else young.covers(self.sent)
        )
        if not (self.sent.is_after(self.older) and is_young):
            raise ValueError(
                f"{self.sent.order_ref} does not lie between its witnesses"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecord:
    """The record that an effect changes, shown unchanged: an order's status or a
    refund."""

    shown: Statement


Unseen = Between | OwnRecord
"""A reading that would show an effect, and does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """An effect that did not happen: unseen by a reading that began when it could
    arrive no more.
    """

    unseen: Unseen
    asked_at: datetime
    clear_at: datetime

    def __post_init__(self) -> None:
        if self.asked_at < self.clear_at:
            raise ValueError("it may still arrive")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeverLeft:
    """An effect that provably never left, as `by` says."""

    by: Source


@dataclass(frozen=True, slots=True)
class Harmless:
    """An effect that may be sent twice."""


NotHappened = Absent | NeverLeft | Harmless
"""Why an effect may be claimed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the ledger knows of a marketplace's orders.

    `ids` maps references to the ids of their orders. `accounted` are ids of the
    ledger's orders, and of those that a person declared foreign. `confirmed_at` (UTC)
    is when a person last confirmed that the ledger knows all of ours.
    """

    controls: Sequence[Control] = ()
    ids: Mapping[str, str] = field(default_factory=dict)
    accounted: Collection[str] = ()
    confirmed_at: datetime | None = None


def judge_absence(
    sent: Sent, reading: Reading, account: Account, asked_at: datetime
) -> Between | Open | Contradicted:
    """What it means that a reading, begun at `asked_at`, does not show what was sent.

    A control counts where the reading shows it by its id under its reference, in a
    place where what was sent would have its own. A filter on times that is read in
    another zone hides orders some hours older; a list that lags, or that does not begin
    with its newest, hides younger ones.
    """
    if wrong := misnamed(reading.rows, account.ids) or written_otherwise(
        sent.order_ref, reading, account
    ):
        return wrong
    if unclear := _unclear(reading, account, lambda at: at < sent.at - ZONES_APART):
        return unclear
    older = [control for control in account.controls if sent.is_after(control)]
    witnesses = [
        control
        for control in account.controls
        if _places(control, reading) & sent.places
    ]
    before = next((control for control in witnesses if sent.is_after(control)), None)
    if before is None:
        return _open(
            Lack.OLDER_ORDER,
            *(
                reference_field
                for control in older
                for reference_field in _places(control, reading)
            ),
        )
    after = next(
        (
            control
            for control in witnesses
            if sent.is_before(control) and reading.unbroken
        ),
        None,
    )
    younger = after or _young_end(sent, reading.covers, asked_at)
    return (
        younger
        if isinstance(younger, Open)
        else Between(sent=sent, older=before, younger=younger)
    )


def _unclear(
    reading: Reading, account: Account, is_none: Callable[[datetime], bool]
) -> Open | None:
    """Why a list may hide an order of ours: it is not whole, or a row that does not fit
    may be that order.

    A row is another's whose id is accounted for, that has another's reference, or that
    `is_none` by its time.
    """
    if reading.lacks and reading.lacks is not Lack.READABLE_ROWS:
        return _open(reading.lacks)
    rows = [
        row
        for row in reading.misread
        if not (
            row.order_id in account.accounted
            or row.names
            or (row.created_at and is_none(row.created_at))
        )
    ]
    is_unclear = rows or (reading.lacks and not reading.misread)
    return _open(Lack.READABLE_ROWS, *map(str, rows)) if is_unclear else None


def _young_end(
    sent: Sent, covers: datetime | None, asked_at: datetime
) -> FirstPage | Open:
    if covers is None or covers > sent.at - CLOCKS_APART:
        return _open(Lack.YOUNGER_ORDER)
    if asked_at < caught_up(sent):
        return Open(
            kind=Kind.ABSENT, lacks=Lack.YOUNGER_ORDER, again_at=caught_up(sent)
        )
    return FirstPage(since=covers, read_at=asked_at)


def _places(control: Control, reading: Reading) -> frozenset[ReferenceField]:
    orders = [
        order
        for order in reading.found.get(control.order_ref, ())
        if order.order_id == control.order_id
    ]
    return frozenset(
        reference_field
        for order in orders
        for reference_field in order.places_of(control.order_ref)
    )


def misnamed(
    shown: Iterable[ServiceOrder | Misread], ours: Mapping[str, str]
) -> Contradicted | None:
    """Why a reading's references can't be relied on.

    `ours` maps references to the ids under which the ledger has them. A living order
    with another id under one of them may be the very order that is looked for, shown
    under a wrong reference.
    """
    for order in shown:
        for name in order.names:
            if (
                ours.get(name, order.order_id) != order.order_id
                and order.status is not ServiceStatus.CLOSED
            ):
                return two_ids(name, Source.LEDGER, ours[name], order.order_id)
    return None


def written_otherwise(
    order_ref: str, reading: Reading, account: Account
) -> Contradicted | None:
    """A living order that nothing accounts for, whose reference may be this one: in
    another case, quoted, or cut.

    Of a row that does not fit it may be this very one.
    """
    for order in reading.rows:
        if order.order_id in account.accounted or order.status is ServiceStatus.CLOSED:
            continue
        for name in order.names:
            if (name != order_ref or isinstance(order, Misread)) and _may_mean(
                name, order_ref
            ):
                message = str(order) if isinstance(order, Misread) else order.order_id
                return two_ids(order_ref, Source.LEDGER, "", f"{message}, {name}")
    return None


def _may_mean(name: str, order_ref: str) -> bool:
    message, our_lines = (
        "".join(filter(str.isalnum, text.casefold())) for text in (name, order_ref)
    )
    return message == our_lines or (
        len(message) >= LEAST_CUT and our_lines.startswith(message)
    )


def two_ids(
    order_ref: str, source: Source, order_id: str, listed_id: str
) -> Contradicted:
    """A reference that the list shows at another order than `source` does; an empty id
    is none.
    """
    return Contradicted(
        kind=Kind.ABSENT,
        first=Statement(source=source, of=order_ref, value=order_id),
        second=Statement(source=Source.LISTED, of=order_ref, value=listed_id),
    )


def _open(lacks: Lack, *shown: str) -> Open:
    statements = tuple(
        Statement(source=Source.LISTED, value=order_id)
        for order_id in sorted(set(shown))
    )
    return Open(kind=Kind.ABSENT, lacks=lacks, known=statements)


def judge_account(reading: Reading, account: Account) -> Open | None:
    """Why the service may have an order of ours that neither this reading nor the
    ledger shows; None for no reason.

    The controls are the newest orders that the ledger knows. Orders that the ledger has
    lost since are younger: where a control is shown by its reference, so would they be.
    A person's confirmation that the ledger knows every order is as good up to that
    moment.
    """
    moment = account.confirmed_at
    covers = reading.covers
    service_orders = [
        order for order in reading.listed if order.status is not ServiceStatus.CLOSED
    ]
    nameless_ids = [
        order.order_id
        for order in could_be_ours(service_orders, account)
        if not _is_before(order, account)
    ]
    if unclear := _unclear(
        reading, account, lambda at: moment is not None and at <= moment
    ):
        return unclear
    if nameless_ids:
        return _open(Lack.NAMED_ORDERS, *nameless_ids)
    listed = {order.order_id: order for order in reading.listed}
    if any(
        control.order_id in listed
        and listed[control.order_id].places_of(control.order_ref)
        for control in account.controls
    ):
        is_whole = reading.ended or (reading.unbroken and reading.covers is not None)
        return None if is_whole else _open(Lack.EMPTY_PAGE)
    rows: list[ServiceOrder | Misread] = [*service_orders, *reading.misread]
    if moment is None and (account.controls or rows):
        return _open(Lack.OLDER_ORDER, *(row.order_id for row in rows))
    reaches_back = reading.ended or (
        moment is not None and covers is not None and covers <= moment
    )
    return None if reaches_back else _open(Lack.EMPTY_PAGE)


def _is_before(order: ServiceOrder, account: Account) -> bool:
    """Whether a person's confirmation covers the order."""
    moment = account.confirmed_at
    at = order.created_at
    return moment is not None and at is not None and at <= moment


def could_be_ours(
    listed: Iterable[ServiceOrder], account: Account
) -> Sequence[ServiceOrder]:
    """The listed orders that may be orders of ours without showing it.

    None, once an order of ours shows its own reference: then an order without one has
    none.
    """
    orders = list(listed)
    if any(
        account.ids.get(name) == order.order_id
        for order in orders
        for name in order.names
    ):
        return ()
    return [
        order
        for order in orders
        if order.order_id not in account.accounted and not order.names
    ]


def is_as_created(
    service_order: ServiceOrder, lines: Sequence[OrderLine], total: Money, at: datetime
) -> bool:
    """Whether an order has exactly the goods and the total of our create, and its time.
    What is not shown differs.
    """
    is_then = (
        service_order.created_at is not None
        and abs(service_order.created_at - at) <= CLOCKS_APART
    )
    return (
        is_then
        and pieces(service_order.goods) == pieces(lines)
        and service_order.total == total
    )


def left_out(shown: ServiceOrder, lines: Sequence[OrderLine]) -> list[OrderLine]:
    """The lines of our create of which an order shows fewer pieces; none where it does
    not count its goods by id.

    An item that is shown with no SKU of ours, distribution ids included, has its SKUs
    named otherwise: its pieces alone count. So do those of all where no item is ours.
    """
    if not shown.goods or not all(
        order_id.item_id and order_id.sku_id and order_id.quantity
        for order_id in shown.goods
    ):
        return []
    our_lines = {
        (line.distribution_item_id, line.distribution_sku_id): (
            line.item_id,
            line.sku_id,
        )
        for line in lines
    }
    asked = pieces(lines)
    told_lines = Counter[tuple[str, str]]()
    for ids, count in pieces(shown.goods).items():
        told_lines[our_lines.get(ids, ids)] += count
    named = {item_id for item_id, _ in asked.keys() & told_lines.keys()}
    if not named and told_lines.total() >= asked.total():
        return []
    lacks = asked - told_lines
    by_item = _by_item(asked) - _by_item(told_lines)
    return [
        line
        for line in lines
        if (
            (line.item_id, line.sku_id) in lacks
            if line.item_id in named
            else line.item_id in by_item
        )
    ]


def _by_item(counted: Counter[tuple[str, str]]) -> Counter[str]:
    items = Counter[str]()
    for (item_id, _), count in counted.items():
        items[item_id] += count
    return items


def pieces(rows: Iterable[Goods | OrderLine]) -> Counter[tuple[str, str]]:
    """The pieces of each SKU."""
    counted = Counter[tuple[str, str]]()
    for row in rows:
        counted[row.item_id, row.sku_id] += row.quantity
    return counted
