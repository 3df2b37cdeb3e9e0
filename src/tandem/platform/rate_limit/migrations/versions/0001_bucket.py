"""Buckets of credits. A row is a time; room on the page keeps its many updates in place."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

_STATEMENTS = (
    # Unlogged: after a crash of the database all buckets are full, which costs one burst.
    """
    CREATE UNLOGGED TABLE rate_limit.bucket (
        key text COLLATE "C" PRIMARY KEY CHECK (length(key) <= 256),
        full_at_s double precision NOT NULL,
        asked_at_s double precision NOT NULL,
        granted double precision NOT NULL
    ) WITH (fillfactor = 50)
    """,
    "COMMENT ON COLUMN rate_limit.bucket.full_at_s IS 'when all is free again, since 1970'",
    "COMMENT ON COLUMN rate_limit.bucket.granted IS 'by the last statement, to be returned'",
    "GRANT USAGE ON SCHEMA rate_limit TO tandem_rate_limit",
    "GRANT SELECT, INSERT, UPDATE ON rate_limit.bucket TO tandem_rate_limit",
)


def upgrade() -> None:
    """Make the table, and the role that uses it."""
    migrations_env.ensure_role("tandem_rate_limit")
    for statement in _STATEMENTS:
        op.execute(statement)
