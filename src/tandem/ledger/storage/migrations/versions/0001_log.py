"""The log: heads, records, entries, accounts, assets, tiles; and the role that may only add."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

ROLE = "tandem_ledger"

_STATEMENTS = (
    # The only hot row; it stays on its page, so its updates touch no index.
    """
    CREATE TABLE ledger.head (
        ledger_id integer PRIMARY KEY,
        name text COLLATE "C" NOT NULL UNIQUE,
        seq bigint NOT NULL,
        recorded_at_us bigint NOT NULL,
        next_account_no bigint NOT NULL,
        frontier bytea NOT NULL
    ) WITH (fillfactor = 10)
    """,
    """
    CREATE TABLE ledger.record (
        ledger_id integer NOT NULL,
        seq bigint NOT NULL,
        recorded_at_us bigint NOT NULL,
        kind smallint NOT NULL,
        idempotency_key text COLLATE "C",
        parent_seq bigint,
        expires_at_us bigint,
        body text NOT NULL,
        PRIMARY KEY (ledger_id, seq)
    )
    """,
    "CREATE UNIQUE INDEX record_key ON ledger.record (ledger_id, idempotency_key)",
    """
    CREATE INDEX record_parent ON ledger.record (ledger_id, parent_seq, seq)
    WHERE parent_seq IS NOT NULL
    """,
    """
    CREATE INDEX record_expiry ON ledger.record (ledger_id, expires_at_us, seq)
    WHERE kind = 4 AND expires_at_us IS NOT NULL
    """,
    "CREATE INDEX record_kind ON ledger.record (ledger_id, kind, seq) WHERE kind <> 3",
    """
    CREATE TABLE ledger.entry (
        ledger_id integer NOT NULL,
        account_no bigint NOT NULL,
        seq bigint NOT NULL,
        leg smallint NOT NULL,
        effect smallint NOT NULL,
        amount_minor numeric(39, 0) NOT NULL,
        posted_debits numeric(39, 0) NOT NULL,
        posted_credits numeric(39, 0) NOT NULL,
        pending_debits numeric(39, 0) NOT NULL,
        pending_credits numeric(39, 0) NOT NULL,
        PRIMARY KEY (ledger_id, account_no, seq, leg)
    )
    """,
    # "C": a prefix of addresses is a range of the index.
    """
    CREATE TABLE ledger.account (
        ledger_id integer NOT NULL,
        account_no bigint NOT NULL,
        address text COLLATE "C" NOT NULL,
        asset text NOT NULL,
        account_class text NOT NULL,
        min_balance_minor numeric(39, 0),
        max_balance_minor numeric(39, 0),
        status text NOT NULL,
        opened_seq bigint NOT NULL,
        opened_at_us bigint NOT NULL,
        metadata text NOT NULL,
        PRIMARY KEY (ledger_id, account_no),
        UNIQUE (ledger_id, address)
    )
    """,
    """
    CREATE TABLE ledger.asset (
        ledger_id integer NOT NULL,
        code text COLLATE "C" NOT NULL,
        scale smallint NOT NULL,
        PRIMARY KEY (ledger_id, code)
    )
    """,
    """
    CREATE TABLE ledger.tile (
        ledger_id integer NOT NULL,
        level smallint NOT NULL,
        tile_index bigint NOT NULL,
        hashes bytea NOT NULL,
        PRIMARY KEY (ledger_id, level, tile_index)
    )
    """,
    # Nothing is ever destroyed: the application can add, and move the head and the projection.
    f"GRANT USAGE ON SCHEMA ledger TO {ROLE}",
    f"GRANT SELECT, INSERT ON ledger.record, ledger.entry, ledger.asset, ledger.tile TO {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE ON ledger.head, ledger.account TO {ROLE}",
)


def upgrade() -> None:
    """Make the tables and the role."""
    migrations_env.ensure_role(ROLE)
    for statement in _STATEMENTS:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a ledger is never destroyed by a migration."""
    raise NotImplementedError("a ledger is never destroyed")
