"""Purges outlive a crash: their numbers must go on from those that running processes have seen."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Write purges, and with them their sequence, to the write-ahead log."""
    op.execute("ALTER TABLE routing_cache.purge SET LOGGED")
