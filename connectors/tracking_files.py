"""Files with the tracking numbers of shops' orders, in each shop's shape: each number
in one file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.crash_points import TRACKING_WRITTEN, reach
from connectors.durable import exclusive, put
from connectors.ledger.engine import chunked
from connectors.ledger.records import OrderRecord
from connectors.ledger.refunds import lines_unsent
from connectors.ledger.store import Ledger
from connectors.ledger.tracking import Number
from connectors.settings import SourcingSettings
from connectors.shop_files import carriers_in, profiles_in
from domain.after_sale import UNDER_WAY, Refund
from domain.cells import csv_cell, csv_text
from domain.shop_files import NOT_IN_A_REF
from domain.shop_tracking import GENERIC, Parcel, Sheet, carrier_names, lines_by_number
from domain.wording import pluralize


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingFile:
    """A file that was written, with how many numbers it has; some of its texts are more
    than `lacking` can encode.
    """

    path: Path
    numbers: int
    lacking: str = ""

    def __str__(self) -> str:
        missing_numbers = (
            f"; ? stands for what {self.lacking} can't hold" if self.lacking else ""
        )
        return f"{self.path}: {pluralize(self.numbers, 'tracking number')}{missing_numbers}"


@dataclass(slots=True)
class Due:
    """The parcels whose numbers a shop lacks, and the orders that a file makes whole.

    `whole` has when each of them was updated.
    """

    parcels: list[Parcel] = field(default_factory=list)
    whole: dict[str, datetime] = field(default_factory=dict)


def write_tracking(settings: SourcingSettings, ledger: Ledger) -> list[TrackingFile]:
    """Write the numbers that shops lack, a file a shop; a file that is there is never
    changed. A restored ledger has forgotten which were written: none are until a person
    has confirmed it.

    A process that dies between the file and its commit has the numbers written once
    more, into the next file. Raises `OSError`, `LedgerUnusable` and `BadSetting`.
    """
    ledger.marks.require_settled()
    sheets = _sheets(settings)
    due_shipment = _due_numbers(settings, ledger)
    if not due_shipment:
        return []
    with exclusive(settings.data_dir / "exports"):
        files = [
            _write(settings, ledger, shop, sheets.get(shop, GENERIC), one)
            for shop, one in sorted(due_shipment.items())
        ]
    return [file for file in files if file]


def _due_numbers(settings: SourcingSettings, ledger: Ledger) -> Mapping[str, Due]:
    """The numbers that each shop lacks."""
    zone = ZoneInfo(settings.timezone)
    due_shipment: dict[str, Due] = defaultdict(Due)
    for refs in chunked(ledger.exported.unsent()):
        exported = ledger.exported.of(refs)
        scans = ledger.exported.first_scans(refs)
        refunds: dict[str, list[Refund]] = defaultdict(list)
        for refund in ledger.refunds.of_orders(refs):
            refunds[refund.order_ref].append(refund)
        for order in ledger.orders(refs).values():
            shop = str(order.shop)
            numbers = {(order.order_ref, number) for number in order.tracking_numbers}
            missing_numbers = numbers - exported
            proven = {
                number: scans[number] for number in missing_numbers & scans.keys()
            }
            parcels = [
                *_parcels(order, refunds[order.order_ref], proven, zone, ledger.clock())
            ]
            if parcels:
                due_shipment[shop].parcels += parcels
            if numbers and len(parcels) == len(missing_numbers):
                due_shipment[shop].whole[order.order_ref] = order.updated_at
    return due_shipment


def _sheets(settings: SourcingSettings) -> dict[str, Sheet]:
    return {
        profile.shop: profile.tracking
        for profile in reversed(profiles_in(settings.data_dir))
        if profile.tracking
    }


def _parcels(
    order: OrderRecord,
    refunds: Sequence[Refund],
    proven: Mapping[Number, datetime],
    zone: ZoneInfo,
    moment: datetime,
) -> Iterator[Parcel]:
    """The parcels of these numbers; none while a refund is under way, since it decides
    which lines are sent.
    """
    if not (proven and order.shipment) or any(
        refund.state in UNDER_WAY for refund in refunds
    ):
        return
    unsent = lines_unsent(refunds, order)
    parcels = lines_by_number(order.request, order.lines, order.shipment, unsent)
    for number, lines in parcels.items():
        if at := proven.get((order.order_ref, number)):
            yield Parcel(
                order_ref=order.order_ref,
                shop_ref=str(order.shop_ref or ""),
                number=number,
                company=order.shipment.company,
                day=min(at, moment).astimezone(zone).date(),
                lines=lines,
            )


def _write(
    settings: SourcingSettings,
    ledger: Ledger,
    shop: str,
    sheet: Sheet,
    due_shipment: Due,
) -> TrackingFile | None:
    day = ledger.clock().astimezone(ZoneInfo(settings.timezone)).date()
    name = (
        sheet.name
        if f"{sheet.name}-".startswith(f"{shop}-")
        else f"{sheet.name}-{shop}".strip("-")
    )
    name = NOT_IN_A_REF.sub("-", f"{name}-{day}")
    path = _free(settings.data_dir.absolute() / "exports", name, sheet.suffix, ledger)
    names = cache(
        partial(
            carrier_names,
            carriers=carriers_in(settings.data_dir),
            shop=shop,
        )
    )
    numbers = [(parcel.order_ref, parcel.number) for parcel in due_shipment.parcels]
    with ledger.exported.exporting(
        numbers, path.name if due_shipment.parcels else "", due_shipment.whole
    ) as new:
        parcels = [
            parcel
            for parcel in due_shipment.parcels
            if (parcel.order_ref, parcel.number) in new
        ]
        rows = [
            row
            for parcel in parcels
            for row in sheet.rows(parcel, *names(parcel.company))
        ]
        if not rows:
            return None
        text = _text(sheet, rows)
        content = text.encode(sheet.encoding, "replace")
        put(path, content)
        reach(TRACKING_WRITTEN, shop)
    missing_numbers = "" if content.decode(sheet.encoding) == text else sheet.encoding
    return TrackingFile(path=path, numbers=len(parcels), lacking=missing_numbers)


def _free(folder: Path, name: str, suffix: str, ledger: Ledger) -> Path:
    """A name that no file has or had: one that was uploaded and taken away may be
    remembered by its name.
    """
    names = (
        f"{name}{'' if number == 1 else f'-{number}'}.{suffix}" for number in count(1)
    )
    return folder / next(
        name
        for name in names
        if not ((folder / name).exists() or ledger.exported.has_file(name))
    )


def _text(sheet: Sheet, rows: list[list[str]]) -> str:
    """Lines with commas, or with tabs and without quotes."""
    cells = [
        [csv_cell(cell) for cell in row]
        for row in (*sheet.above, [*sheet.columns], *rows)
    ]
    return (
        csv_text(cells)
        if sheet.suffix == "csv"
        else "".join("\t".join(row) + "\r\n" for row in cells)
    )
