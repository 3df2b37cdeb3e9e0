"""Under what accounts are listed: asset, class, status, and the metadata they have or had."""

from alembic import op

revision = "0007"
down_revision = "0006"

ROLE = "tandem_ledger"

_TABLE = (
    "CREATE INDEX account_asset ON ledger.account (ledger_id, asset, address)",
    "CREATE INDEX account_class ON ledger.account (ledger_id, account_class, address)",
    "CREATE INDEX account_status ON ledger.account (ledger_id, status, address)",
    # A row for each pair of metadata that an account ever had (see 0004), and the record that
    # brought it. Rows are never taken away; a listing looks at the account as it stands, too.
    """
    CREATE TABLE ledger.account_annotation (
        ledger_id integer NOT NULL,
        term uuid NOT NULL,
        address text COLLATE "C" NOT NULL,
        seq bigint NOT NULL,
        PRIMARY KEY (ledger_id, term, address)
    )
    """,
    f"GRANT SELECT, INSERT ON ledger.account_annotation TO {ROLE}",
)

FILL = (
    r"""
    INSERT INTO ledger.account_annotation (ledger_id, term, address, seq)
    SELECT record.ledger_id,
        encode(substring(sha256(convert_to('metadata', 'UTF8') || '\x00'::bytea
            || convert_to(pair.key, 'UTF8') || '\x00'::bytea
            || convert_to(pair.value, 'UTF8')) FOR 16), 'hex')::uuid,
        record.body::jsonb #>> '{account,address}',
        min(record.seq)
    FROM ledger.record
    CROSS JOIN LATERAL jsonb_each_text(record.body::jsonb #> '{account,metadata}') AS pair
    WHERE record.kind IN (1, 2)
    GROUP BY 1, 2, 3
    """,
)


def upgrade() -> None:
    """Make the indexes and the table, and fill it from the records that there are."""
    for statement in _TABLE + FILL:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a ledger is never destroyed by a migration."""
    raise NotImplementedError("a ledger is never destroyed")
