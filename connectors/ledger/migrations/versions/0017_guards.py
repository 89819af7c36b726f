"""Rules that the database itself holds, indexes by time and state, and when each parcel is read next.

Nothing is written anew: SQLite keeps a table's rules in its words alone. A rule that an old row breaks is left out of
this ledger, which `sourcing ledger verify` names with the row.
"""

from contextlib import suppress

import sqlalchemy as sa
from alembic import op

from connectors.ledger.schema import UtcDateTime

revision = "0017"
down_revision = "0016"

RULES = {
    "orders": {"ck_orders_payable": "payable_minor IS NULL OR payable_minor >= coalesce(approved_minor, 0)"},
    "effects": {
        "ck_effects_counted": "fence >= 1 AND attempt >= 1",
        "ck_effects_settled": "status IN ('sending', 'unknown') OR "
        "(status IN ('done', 'refused', 'unsent') AND settled_at IS NOT NULL)",
    },
}
TWICE = "SELECT 1 FROM orders WHERE order_id IS NOT NULL GROUP BY marketplace, order_id HAVING count(*) > 1 LIMIT 1"


def upgrade() -> None:
    op.create_table(
        "tracked",
        sa.Column("order_ref", sa.String(64), nullable=False),
        sa.Column("next_poll_at", UtcDateTime(), nullable=False),
        sa.Column("last_scan_at", UtcDateTime()),
        sa.PrimaryKeyConstraint("order_ref", name="pk_tracked"),
        sa.ForeignKeyConstraint(["order_ref"], ["orders.order_ref"], name="fk_tracked_order_ref"),
    )
    op.drop_index("ix_orders_state", "orders")
    op.create_index("ix_orders_state", "orders", ["state", "updated_at"])
    for table, column, where in (
        ("orders", "paid_at", "paid_at IS NOT NULL"),
        ("orders", "booked_at", "booked_at IS NOT NULL"),
        ("orders", "reason_code", "reason_code IS NOT NULL"),
        ("moves", "at", None),
        ("effects", "intent_at", "action IN ('create', 'pay')"),
        ("refunds", "updated_at", None),
        ("messages", "due_at", None),
        ("deliveries", "sent_at", None),
    ):
        _index(f"ix_{table}_{column}", table, [column], where)
    op.create_index("ix_messages_kind", "messages", ["kind", "told_at"])
    op.create_index("ix_marks_name", "marks", ["name", "id"])
    _index("ix_marks_standing", "marks", ["name"], "ended_at IS NULL")
    if op.get_bind().execute(sa.text(TWICE)).first() is None:
        _index("uq_orders_order_id", "orders", ["marketplace", "order_id"], "order_id IS NOT NULL", unique=True)
    for table, rules in RULES.items():
        _hold(table, {name: rule for name, rule in rules.items() if _is_kept(table, rule)})


def _index(name: str, table: str, columns: list[str], where: str | None, *, unique: bool = False) -> None:
    part = sa.text(where) if where else None
    op.create_index(name, table, columns, unique=unique, sqlite_where=part, postgresql_where=part)


def _is_kept(table: str, rule: str) -> bool:
    return op.get_bind().execute(sa.text(f"SELECT 1 FROM {table} WHERE NOT ({rule}) LIMIT 1")).first() is None


def _hold(table: str, rules: dict[str, str]) -> None:
    bind = op.get_bind()
    if bind.dialect.name == "postgresql":
        for name, rule in rules.items():
            op.create_check_constraint(name, table, rule)
    elif rules:
        # the way that SQLite documents for rules alone (ALTER TABLE, 7): rows stay where they are
        added = "".join(f", CONSTRAINT {name} CHECK ({rule})" for name, rule in rules.items())
        bind.exec_driver_sql("PRAGMA writable_schema = ON")
        with suppress(sa.exc.OperationalError):  # an SQLite that was built not to allow it goes without rules
            bind.exec_driver_sql(
                "UPDATE sqlite_schema SET sql = substr(rtrim(sql), 1, length(rtrim(sql)) - 1) || ? || ')' "
                "WHERE type = 'table' AND name = ?",
                (added, table),
            )
        bind.exec_driver_sql("PRAGMA writable_schema = RESET")
