"""Statements that take back migrations, for ledgers of earlier programs."""

from __future__ import annotations

_INDEXES = (
    "orders_paid_at",
    "orders_booked_at",
    "orders_reason_code",
    "moves_at",
    "effects_intent_at",
    "refunds_updated_at",
    "messages_due_at",
    "messages_kind",
    "deliveries_sent_at",
    "marks_name",
    "marks_standing",
)
_TAKEN_BACK = (
    "DROP TABLE tracked",
    *(f"DROP INDEX ix_{name}" for name in _INDEXES),
    "DROP INDEX uq_orders_order_id",
    "DROP INDEX ix_orders_state",
    "CREATE INDEX ix_orders_state ON orders (state)",
    "UPDATE alembic_version SET version_num = '0016'",
)
_WITHOUT_WAREHOUSE = (
    "ALTER TABLE orders DROP COLUMN warehouse",
    "ALTER TABLE orders DROP COLUMN parcel_reported_at",
)
BACK_TO_0016 = {
    "sqlite": (
        *_WITHOUT_WAREHOUSE,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = substr(sql, 1, instr(sql, ', CONSTRAINT ck_') - 1) || ')' "
        "WHERE sql LIKE '%, CONSTRAINT ck_%'",
        "PRAGMA writable_schema = RESET",
        *_TAKEN_BACK,
    ),
    "postgresql": (
        *_WITHOUT_WAREHOUSE,
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_payable",
        "ALTER TABLE effects DROP CONSTRAINT ck_effects_counted, DROP CONSTRAINT ck_effects_settled",
        *_TAKEN_BACK,
    ),
}
