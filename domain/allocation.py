"""Sums cut into whole minor units that add up to the sum again."""

from __future__ import annotations

from collections.abc import Sequence


def allocate(total: int, weights: Sequence[int]) -> list[int]:
    """`total` cut in proportion to `weights`, none of them below zero; into equal parts where all are zero."""
    if not any(weights):
        weights = [1] * len(weights)
    return apportioned([total * weight for weight in weights], sum(weights) or 1, total)


def apportioned(numerators: Sequence[int], denominator: int, total: int) -> list[int]:
    """Each `numerator / denominator` rounded down or up to a whole number, so that together they are `total`.

    Those with the largest remainders are rounded up; of equal ones the first. `total` must be the exact sum, or that
    rounded. Raises `ValueError` where whole numbers next to the exact ones can't come to it.
    """
    parts = [numerator // denominator for numerator in numerators]
    remainders = [numerator % denominator for numerator in numerators]
    lacking = total - sum(parts)
    if not 0 <= lacking <= sum(remainder > 0 for remainder in remainders):
        raise ValueError(f"{total} is not what {len(numerators)} parts come to")
    for at in sorted(range(len(parts)), key=lambda at: -remainders[at])[:lacking]:
        parts[at] += 1
    return parts
