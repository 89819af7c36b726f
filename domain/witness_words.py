"""The words for a verdict that is not settled, for the people who read reasons."""

from __future__ import annotations

from domain.witnessed import Lack, Open


def why_unproven(verdict: Open) -> str:
    """What is lacking, and where a person can look for it."""
    known = " and ".join(str(one.value) for one in verdict.known)
    return _LACKING[verdict.lacks].format(known=known)


_LACKING = {
    Lack.DEBIT_AT_ONCE: "the order is shown as unpaid, which proves nothing where paying may be a submission "
    "(XPORTCN_PAY_IS): look for a bill 支付扣款 of {known}",
}
