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
BACK_TO_0020 = {
    dialect: (
        "DROP TABLE exported_numbers",
        "DROP TABLE chunks",
        *(f"ALTER TABLE batches DROP COLUMN {name}" for name in ("shared", "shared_by", "shared_at")),
        "CREATE TABLE shares (share_id VARCHAR(160) PRIMARY KEY, batch_id VARCHAR(120) NOT NULL, "
        f"parent VARCHAR(120) NOT NULL, version VARCHAR(64) NOT NULL, terms JSON NOT NULL, opened_at {time} NOT NULL, "
        f"seen_at {time} NOT NULL, closed_at {time}, "
        "CONSTRAINT fk_shares_batch_id FOREIGN KEY (batch_id) REFERENCES batches (batch_id))",
        "CREATE INDEX ix_shares_batch_id ON shares (batch_id)",
        "CREATE TABLE share_chunks (share_id VARCHAR(160) NOT NULL, number INTEGER NOT NULL, "
        f"work VARCHAR(16) NOT NULL, content JSON NOT NULL, holder VARCHAR(120) NOT NULL, lease_until {time}, "
        f"fence INTEGER NOT NULL, done_at {time}, CONSTRAINT pk_share_chunks PRIMARY KEY (share_id, number), "
        "CONSTRAINT fk_share_chunks_share_id FOREIGN KEY (share_id) REFERENCES shares (share_id))",
        "CREATE TABLE share_helpers (share_id VARCHAR(160) NOT NULL, owner VARCHAR(120) NOT NULL, "
        f"seen_at {time} NOT NULL, ended_at {time}, CONSTRAINT pk_share_helpers PRIMARY KEY (share_id, owner), "
        "CONSTRAINT fk_share_helpers_share_id FOREIGN KEY (share_id) REFERENCES shares (share_id))",
        "UPDATE alembic_version SET version_num = '0020'",
    )
    for dialect, time in _TIME.items()
}
BACK_TO_0018 = {
    dialect: (
        *BACK_TO_0020[dialect],
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
