"""What the warehouse says of a parcel that reached it, and whether that fits what was ordered and booked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from statistics import median_low

from domain.money import Money

PASSED = ("质检通过", "通过", "passed", "pass")
MOST_GRAMS = 1_000_000
TOLERATED_PERCENT, TOLERATED_GRAMS = 10, 50
"""A parcel may weigh so much more than earlier ones of the same goods: packing differs."""


class Inspection(StrEnum):
    """`not_said`: the report has no word about it."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_STATED = "not_said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel as its report tells of it. `weight` is as told; its unit is stated nowhere (assumed: kilograms)."""

    tracking_number: str
    status: str
    weight: str
    failed_remark: str = ""

    @property
    def inspection(self) -> Inspection:
        """Any word that does not say that it passed counts as a failure: somebody is to look."""
        word = self.status.strip().lower()
        if not word:
            return Inspection.NOT_STATED
        return Inspection.PASSED if word in PASSED else Inspection.FAILED

    @property
    def grams(self) -> int | None:
        """The weight in grams; None for what can be no weight."""
        try:
            grams = Decimal(self.weight.strip()) * 1000
        except InvalidOperation:
            return None
        return int(grams) if grams.is_finite() and 1 <= grams <= MOST_GRAMS else None


def problems_of(
    parcel: Parcel,
    *,
    shown: Collection[str],
    per_piece: Sequence[int] = (),
    pieces: int = 0,
    booked: Money | None = None,
    estimated: Money | None = None,
) -> list[str]:
    """What a merchant is to know of a parcel, in words; empty where all is as expected.

    `shown` are the numbers that the service itself shows for the order. `per_piece` are grams of the same goods in
    earlier parcels, `pieces` how many are in this one. `booked` is what its freight was booked for, `estimated`
    what the service would ask for these goods now; an estimate may be lower than a booking, so only a rise is told.
    """
    if parcel.tracking_number not in shown:
        return ["the service shows no such parcel for this order: its report is not believed"]
    found = []
    if parcel.inspection is Inspection.FAILED:
        remark = f": {parcel.failed_remark}" if parcel.failed_remark else ""
        found.append(f"it did not pass the warehouse's inspection ({parcel.status}){remark}")
    if weight := _too_heavy(parcel.grams, per_piece, pieces):
        found.append(weight)
    if booked and estimated and estimated.currency == booked.currency and estimated.minor > booked.minor:
        found.append(f"its freight would be {estimated} by a fresh estimate, and was booked for {booked}")
    return found


def _too_heavy(grams: int | None, per_piece: Sequence[int], pieces: int) -> str:
    if grams is None or not per_piece or not pieces:
        return ""
    expected = median_low(per_piece) * pieces
    if grams <= expected * (100 + TOLERATED_PERCENT) // 100 + TOLERATED_GRAMS:
        return ""
    return (
        f"it weighs {_kilograms(grams)}, and by earlier parcels of the same goods {_kilograms(expected)} were to be "
        "expected: freight may be charged anew"
    )


def _kilograms(grams: int) -> str:
    return f"{Decimal(grams) / 1000:f} kg"
