"""Effective time: entries that take effect at another time than recorded, and closed periods."""

from alembic import op

revision = "0005"
down_revision = "0004"

ROLE = "tandem_ledger"

_STATEMENTS = (
    # Below every time there is: nothing is closed.
    "ALTER TABLE ledger.head ADD COLUMN closed_through_us bigint NOT NULL DEFAULT -1",
    """
    CREATE TABLE ledger.displaced (
        ledger_id integer NOT NULL,
        account_no bigint NOT NULL,
        seq bigint NOT NULL,
        leg smallint NOT NULL,
        effective_at_us bigint NOT NULL,
        effect smallint NOT NULL,
        amount_minor numeric(39, 0) NOT NULL,
        PRIMARY KEY (ledger_id, account_no, seq, leg)
    )
    """,
    f"GRANT SELECT, INSERT ON ledger.displaced TO {ROLE}",
)


def upgrade() -> None:
    """Add the column and the table."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a ledger is never destroyed by a migration."""
    raise NotImplementedError("a ledger is never destroyed")
