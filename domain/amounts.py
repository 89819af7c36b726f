"""Two readings of one amount: they agree as far as prices do, or one of them must be wrong."""

from __future__ import annotations

from domain.money import Money
from domain.witnessed import Amount, Contradicted, Gap, Kind, Source, Statement

UNIT_FROM, UNIT_TO = 50, 200
"""Between yuan and fen lies a factor of 100; whole yuan that were rounded make it 50 (0.50 as 1) to 200 (1.99 as 1)."""
FAR = 3
"""Volume prices, promotions and coupons stay within a third and three times of each other."""
LEAST_PART = 2
"""A coupon after the approval takes less than a half off the total."""


def agreed(first: Statement, second: Statement) -> Amount | Contradicted:
    """Compare two readings: goods with goods, totals with totals. Raises `CurrencyMismatch`."""
    return _amount_or_contradicted(first, second, _gap(money_of(first), money_of(second)))


def agreed_total(approved: Statement, shown: Statement) -> Amount | Contradicted:
    """Compare a total with the approved one. A limit decides about one that is higher and within reason."""
    most, now = money_of(approved), money_of(shown)
    gap = _gap(most, now)
    if gap is not Gap.UNIT and now * LEAST_PART < most:
        gap = Gap.HALF
    return _amount_or_contradicted(approved, shown, gap)


def agreed_taken(owed: Money, shown: Money, *, is_ours: bool) -> Amount | Contradicted:
    """Compare what is shown as taken with what was owed; what is counted is the owed amount where they contradict.

    A payment of our own (`is_ours`) was for this very amount, so less is never believed. A foreign payment may have
    been cheaper, as far as totals are. More that is no other unit was taken.
    """
    first, second = Statement(source=Source.LEDGER, value=owed), Statement(source=Source.TAKEN, value=shown)
    verdict = agreed_total(first, second)
    if isinstance(verdict, Contradicted):
        return verdict if verdict.gap is Gap.UNIT or shown < owed else Amount(first=first, second=second)
    return Contradicted(kind=Kind.AMOUNT, first=first, second=second) if is_ours and shown < owed else verdict


def money_of(statement: Statement) -> Money:
    """The amount of a statement. Raises `TypeError` where it has none."""
    if not isinstance(statement.value, Money):
        raise TypeError(f"{statement.source} tells no amount: {statement.value!r}")
    return statement.value


def _amount_or_contradicted(first: Statement, second: Statement, gap: Gap | None) -> Amount | Contradicted:
    if gap is None:
        return Amount(first=first, second=second)
    return Contradicted(kind=Kind.AMOUNT, first=first, second=second, gap=gap)


def _gap(first: Money, second: Money) -> Gap | None:
    low, high = min(first, second).minor, max(first, second).minor
    if 0 < UNIT_FROM * low <= high <= UNIT_TO * low:
        return Gap.UNIT
    return Gap.FAR if low <= 0 or high > FAR * low else None
