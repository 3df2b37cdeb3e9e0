"""Webhooks: subscriptions with their cursors, and the records that could not be delivered."""

from alembic import op

revision = "0006"
down_revision = "0005"

ROLE = "tandem_ledger"

_STATEMENTS = (
    # Few rows, settled after each delivery: room on the page, so that updates touch no index.
    """
    CREATE TABLE ledger.subscription (
        ledger_id integer NOT NULL,
        name text COLLATE "C" NOT NULL,
        url text NOT NULL,
        kinds text[] NOT NULL,
        secrets bytea[] NOT NULL,
        active boolean NOT NULL,
        position bigint NOT NULL,
        attempts integer NOT NULL,
        next_attempt_at_us bigint NOT NULL,
        dead_in_a_row integer NOT NULL,
        last_error text,
        created_at_us bigint NOT NULL,
        PRIMARY KEY (ledger_id, name)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE ledger.dead_letter (
        ledger_id integer NOT NULL,
        name text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        attempts integer NOT NULL,
        error text NOT NULL,
        died_at_us bigint NOT NULL,
        resending boolean NOT NULL,
        PRIMARY KEY (ledger_id, name, seq),
        FOREIGN KEY (ledger_id, name) REFERENCES ledger.subscription ON DELETE CASCADE
    )
    """,
    """
    CREATE INDEX dead_letter_resending ON ledger.dead_letter (ledger_id, name, seq)
    WHERE resending
    """,
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.subscription, ledger.dead_letter TO {ROLE}",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables; the log is not touched."""
    op.execute("DROP TABLE ledger.dead_letter, ledger.subscription")
