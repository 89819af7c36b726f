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
    "marks_name",
    "marks_standing",
)
_TIME = {"sqlite": "DATETIME", "postgresql": "TIMESTAMP WITH TIME ZONE"}
BACK_TO_0018 = {
    dialect: (
        "DROP TABLE parts",
        "ALTER TABLE orders DROP COLUMN shop",
        "ALTER TABLE orders DROP COLUMN shop_ref",
        "ALTER TABLE messages DROP COLUMN tries",
        "CREATE TABLE deliveries (cause VARCHAR(160) NOT NULL, addressee VARCHAR(64) NOT NULL, tries INTEGER NOT NULL, "
        f"owner VARCHAR(120) NOT NULL, first_try_at {time} NOT NULL, free_at {time} NOT NULL, sent_at {time}, "
        f"given_up_at {time}, reason TEXT NOT NULL, CONSTRAINT pk_deliveries PRIMARY KEY (cause, addressee), "
        "CONSTRAINT fk_deliveries_cause FOREIGN KEY (cause) REFERENCES messages (cause))",
        "CREATE INDEX ix_deliveries_sent_at ON deliveries (sent_at)",
        "UPDATE alembic_version SET version_num = '0018'",
    )
    for dialect, time in _TIME.items()
}
_TAKEN_BACK = (
    "DROP INDEX ix_deliveries_sent_at",
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
        *BACK_TO_0018["sqlite"],
        *_WITHOUT_WAREHOUSE,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET sql = substr(sql, 1, instr(sql, ', CONSTRAINT ck_') - 1) || ')' "
        "WHERE sql LIKE '%, CONSTRAINT ck_%'",
        "PRAGMA writable_schema = RESET",
        *_TAKEN_BACK,
    ),
    "postgresql": (
        *BACK_TO_0018["postgresql"],
        *_WITHOUT_WAREHOUSE,
        "ALTER TABLE orders DROP CONSTRAINT ck_orders_payable",
        "ALTER TABLE effects DROP CONSTRAINT ck_effects_counted, DROP CONSTRAINT ck_effects_settled",
        *_TAKEN_BACK,
    ),
}
