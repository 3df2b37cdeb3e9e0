"""The cache's tables. Unlogged: after a crash they are empty, and a cache may be (see 0002)."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE UNLOGGED TABLE routing_cache.entry (
        key bytea PRIMARY KEY CHECK (length(key) = 32),
        area box NOT NULL,
        stored_at timestamptz NOT NULL,
        fresh_until timestamptz NOT NULL,
        revalidate_until timestamptz NOT NULL,
        keep_until timestamptz NOT NULL,
        value bytea NOT NULL
    )
    """,
    "CREATE INDEX entry_keep_until ON routing_cache.entry (keep_until)",
    "CREATE INDEX entry_area ON routing_cache.entry USING gist (area)",
    """
    CREATE UNLOGGED TABLE routing_cache.lease (
        key bytea PRIMARY KEY CHECK (length(key) = 32),
        holder uuid NOT NULL,
        until timestamptz NOT NULL
    )
    """,
    """
    CREATE UNLOGGED TABLE routing_cache.purge (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        area box NOT NULL,
        purged_at timestamptz NOT NULL DEFAULT now()
    )
    """,
    "GRANT USAGE ON SCHEMA routing_cache TO tandem_routing_cache",
    """
    GRANT SELECT, INSERT, UPDATE, DELETE
    ON ALL TABLES IN SCHEMA routing_cache TO tandem_routing_cache
    """,
)


def upgrade() -> None:
    """Make the tables, and the role that uses them."""
    migrations_env.ensure_role("tandem_routing_cache")
    for statement in _STATEMENTS:
        op.execute(statement)
