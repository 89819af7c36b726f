"""Messages of the service: their kinds and states; and whether a report of a parcel
fits order and booking.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from statistics import median_low

from domain.money import Money
from domain.reasons import Reason, ReasonCode, because, together


class CallbackKind(StrEnum):
    """What a message is about; it decides how the message is processed."""

    STATUS = "status"
    PRICE = "price"
    REFUND = "refund"
    INBOUND = "inbound"


class CallbackState(StrEnum):
    """`taken` belongs to a run; `set_aside` is for a person."""

    WAITING = "waiting"
    TAKEN = "taken"
    DONE = "done"
    SET_ASIDE = "set_aside"


PASSED = ("质检通过", "通过", "passed", "pass")
MOST_GRAMS = 1_000_000
TOLERATED_PERCENT, TOLERATED_GRAMS = 10, 50
"""How much heavier a parcel may be than earlier ones of its goods: packing differs."""


class Inspection(StrEnum):
    """The result of a parcel's inspection; `not_said`: the report does not mention
    one.
    """

    PASSED = "passed"
    FAILED = "failed"
    NOT_STATED = "not_said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel as reported. `weight` has no unit in the contract (assumed:
    kilograms).
    """

    tracking_number: str
    status: str
    weight: str
    failed_remark: str = ""

    @property
    def inspection(self) -> Inspection:
        """Any word but "passed" counts as a failure: a person is to check."""
        word = self.status.strip().lower()
        if not word:
            return Inspection.NOT_STATED
        return Inspection.PASSED if word in PASSED else Inspection.FAILED

    @property
    def grams(self) -> int | None:
        """The weight in grams; None for a text that can't be a weight."""
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
) -> Reason | None:
    """The problems of a parcel that a merchant must know, as one reason; None where all
    is as expected.

    `shown` are the numbers that the service itself shows for the order. `per_piece` are
    grams of these goods in earlier parcels, `pieces` how many are in this one. `booked`
    is what its freight was booked for, `estimated` what the service would ask for these
    goods now; an estimate may be lower than a booking, so only a rise is a problem.
    """
    if parcel.tracking_number not in shown:
        return because(ReasonCode.PARCEL_NOT_SHOWN)
    found = [_too_heavy(parcel.grams, per_piece, pieces)]
    if parcel.inspection is Inspection.FAILED:
        remark = parcel.failed_remark
        found.insert(
            0,
            because(ReasonCode.PARCEL_NOT_PASSED, status=parcel.status, remark=remark),
        )
    if (
        booked
        and estimated
        and estimated.currency == booked.currency
        and estimated.minor > booked.minor
    ):
        found.append(
            because(ReasonCode.PARCEL_FREIGHT_ROSE, estimated=estimated, booked=booked)
        )
    return together(found)


def parcel_silent(days: int) -> Reason:
    """Why a parcel needs a person that no carrier has scanned for so many days."""
    return because(ReasonCode.PARCEL_SILENT, days=days)


def _too_heavy(
    grams: int | None, per_piece: Sequence[int], pieces: int
) -> Reason | None:
    if grams is None or not per_piece or not pieces:
        return None
    expected = median_low(per_piece) * pieces
    if grams <= expected * (100 + TOLERATED_PERCENT) // 100 + TOLERATED_GRAMS:
        return None
    return because(
        ReasonCode.PARCEL_TOO_HEAVY,
        weight=_kilograms(grams),
        expected=_kilograms(expected),
    )


def _kilograms(grams: int) -> str:
    return f"{Decimal(grams) / 1000:f} kg"
