"""A payment call that submits the order to be paid."""

from __future__ import annotations

from sandbox.dialects.dialect import Dialect, Mark

PAY_IS_SUBMISSION = Dialect(
    name="pay-is-submission",
    sentence=(
        "A payment call debits the wallet at once and submits the order, which is shown as unpaid until it is paid 4 "
        "hours later; a second call debits again."
    ),
    source=(
        "The call's title is submit. The console goes from to be submitted over to be paid by finance to paid, and its "
        "bills name a debit and money back for a withdrawn submission. What a second call does is on no page."
    ),
    mark=Mark.INFERRED,
)
