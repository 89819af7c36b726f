"""A reason as a code with facts; words are made where people read them. Old rows keep their words.

Reasons that earlier programs recognized by the beginning of a sentence get their codes here.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

SENTENCES = {
    "the service already has order %": "already_there",
    "the price rose after ordering%": "price_rose",
    "its price is within what was approved again%": "price_fell",
    "the service has accepted the cancellation and not yet closed%": "cancel_accepted",
    "lies in the cart%": "in_cart",
    "%nobody answered within%": "nobody_answered",
    "% Answer with: sourcing resolve%": "no_answer_asked",
    "%no payment of this ledger accounts for it%": "paid_elsewhere",
    "%approved was%ask for the difference back": "taken_above_approved",
}


def upgrade() -> None:
    op.add_column("orders", sa.Column("reason_facts", sa.JSON()))
    for name in ("effects", "moves"):
        op.add_column(name, sa.Column("reason_code", sa.String(64)))
        op.add_column(name, sa.Column("reason_facts", sa.JSON()))
    for name in ("orders", "effects", "moves"):
        table = sa.table(name, sa.column("reason"), sa.column("reason_code"))
        for words, code in SENTENCES.items():
            these = (table.c.reason_code.is_(None), table.c.reason.like(words))
            op.execute(table.update().where(*these).values(reason_code=code))
