"""The schema of procrastinate as its package ships it, and the role that works on it.

A later version of the package with migrations of its own gets a revision here that runs them;
`tests/integration/platform/test_jobs.py` says when.
"""

from typing import Any

from alembic import op
from procrastinate.schema import SchemaManager

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

ROLE = "tandem_jobs"
SCHEMA = "procrastinate"

_GRANTS = f"""
GRANT USAGE ON SCHEMA {SCHEMA} TO {ROLE};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {ROLE};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA {SCHEMA} TO {ROLE};
"""


def upgrade() -> None:
    """Make the schema's tables, types and functions."""
    migrations_env.ensure_role(ROLE)
    # Many statements in one text, with per cents and colons: straight to the driver.
    connection: Any = op.get_bind().connection.driver_connection
    connection.execute(f"SET LOCAL search_path TO {SCHEMA}")
    connection.execute(SchemaManager.get_schema())
    connection.execute(_GRANTS)
    connection.execute("SET LOCAL search_path TO DEFAULT")


def downgrade() -> None:
    """Refuse: the schema is dropped by hand, when no worker is left."""
    raise NotImplementedError("drop the schema by hand")
