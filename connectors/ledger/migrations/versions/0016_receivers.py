"""Name, phone, e-mail and street of receivers move from the requests of orders into a table of their own."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

CONTACT = ("name", "phone", "email", "address")
AT_ONCE = 500
ORDERS = sa.table("orders", sa.column("order_ref", sa.String), sa.column("request", sa.JSON))


def upgrade() -> None:
    receivers = op.create_table(
        "receivers",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("receiver", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("order_ref", name="pk_receivers"),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_receivers_order_ref"),
    )
    forgotten = set(op.get_bind().scalars(sa.text("SELECT order_ref FROM forgotten")))
    last = ""
    while orders := _orders_after(last):
        last = orders[-1].order_ref
        named = [one for one in orders if one.order_ref not in forgotten and _named(one.request)]
        if named:
            op.get_bind().execute(receivers.insert(), [_receiver(one) for one in named])
            op.get_bind().execute(
                ORDERS.update().where(ORDERS.c.order_ref == sa.bindparam("ref")).values(request=sa.bindparam("kept")),
                [{"ref": one.order_ref, "kept": _without_names(one.request)} for one in named],
            )


def _orders_after(last: str) -> Sequence[sa.Row[Any]]:
    following = sa.select(ORDERS).where(ORDERS.c.order_ref > last).order_by(ORDERS.c.order_ref).limit(AT_ONCE)
    return op.get_bind().execute(following).all()


def _named(request: object) -> bool:
    receiver = request.get("receiver") if isinstance(request, dict) else None
    return isinstance(receiver, dict) and any(part in receiver for part in CONTACT)


def _receiver(order: sa.Row[Any]) -> dict[str, object]:
    told = order.request["receiver"]
    return {"order_ref": order.order_ref, "receiver": {part: told[part] for part in CONTACT if part in told}}


def _without_names(request: dict[str, Any]) -> dict[str, Any]:
    return {**request, "receiver": {part: text for part, text in request["receiver"].items() if part not in CONTACT}}
