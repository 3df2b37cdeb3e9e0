"""API keys: hashes only. A key is never deleted, and of it only the revocation may change."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE platform.api_key (
        id text COLLATE "C" PRIMARY KEY,
        name text NOT NULL,
        secret_hash bytea NOT NULL CHECK (length(secret_hash) = 32),
        permissions text[] NOT NULL,
        created_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
    "GRANT USAGE ON SCHEMA platform TO tandem_platform",
    "GRANT SELECT, INSERT, UPDATE (revoked_at) ON platform.api_key TO tandem_platform",
)


def upgrade() -> None:
    """Make the table, and the role that uses it."""
    migrations_env.ensure_role("tandem_platform")
    for statement in _STATEMENTS:
        op.execute(statement)
