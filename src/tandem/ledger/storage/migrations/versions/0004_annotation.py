"""Annotations: under which reference and metadata a record is listed."""

from alembic import op

revision = "0004"
down_revision = "0001"

ROLE = "tandem_ledger"

_TABLE = (
    # One row for a reference and one for each pair of metadata: the first 128 bits of SHA-256 (see
    # core.filters). The key is the index of the listings, in their order. Records that have
    # neither, as plain transfers, have no row. The canonical text stays the only original.
    """
    CREATE TABLE ledger.annotation (
        ledger_id integer NOT NULL,
        term uuid NOT NULL,
        seq bigint NOT NULL,
        PRIMARY KEY (ledger_id, term, seq)
    )
    """,
    f"GRANT SELECT, INSERT ON ledger.annotation TO {ROLE}",
)

FILL = (
    r"""
    INSERT INTO ledger.annotation (ledger_id, term, seq)
    SELECT record.ledger_id,
        encode(substring(sha256(convert_to('reference', 'UTF8') || '\x00'::bytea
            || convert_to(record.body::jsonb ->> 'reference', 'UTF8')) FOR 16), 'hex')::uuid,
        record.seq
    FROM ledger.record
    WHERE CASE WHEN strpos(record.body, '"reference":') > 0
        THEN record.body::jsonb ? 'reference' END
    """,
    r"""
    INSERT INTO ledger.annotation (ledger_id, term, seq)
    SELECT record.ledger_id,
        encode(substring(sha256(convert_to('metadata', 'UTF8') || '\x00'::bytea
            || convert_to(pair.key, 'UTF8') || '\x00'::bytea
            || convert_to(pair.value, 'UTF8')) FOR 16), 'hex')::uuid,
        record.seq
    FROM ledger.record
    CROSS JOIN LATERAL jsonb_each_text(record.body::jsonb -> 'metadata') AS pair
    WHERE CASE WHEN strpos(record.body, '"metadata":') > 0
        THEN record.body::jsonb ? 'metadata' END
    """,
)


def upgrade() -> None:
    """Make the table and fill it from the records that there are."""
    for statement in _TABLE + FILL:
        op.execute(statement)


def downgrade() -> None:
    """Refuse: a ledger is never destroyed by a migration."""
    raise NotImplementedError("a ledger is never destroyed")
