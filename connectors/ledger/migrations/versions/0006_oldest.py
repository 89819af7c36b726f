"""The oldest ledgers that are brought up to date; new ones are made from `connectors.ledger.schema`."""

revision = "0006"
down_revision = None
