"""The canary's tables: one row that moves, what was seen in each stage, and every move."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

_STATEMENTS = (
    """
    CREATE TABLE routing_change.canary (
        id boolean PRIMARY KEY DEFAULT true CHECK (id),
        run bigint NOT NULL,
        version bigint NOT NULL,
        candidate text NOT NULL,
        baseline text NOT NULL CHECK (baseline <> candidate),
        status text NOT NULL,
        stage integer NOT NULL,
        since timestamptz NOT NULL,
        reason text NOT NULL
    )
    """,
    """
    CREATE TABLE routing_change.seen (
        run bigint NOT NULL,
        stage integer NOT NULL,
        what text NOT NULL,
        count bigint NOT NULL,
        PRIMARY KEY (run, stage, what)
    )
    """,
    """
    CREATE TABLE routing_change.move (
        run bigint NOT NULL,
        version bigint PRIMARY KEY,
        candidate text NOT NULL,
        baseline text NOT NULL,
        status text NOT NULL,
        stage integer NOT NULL,
        moved_at timestamptz NOT NULL,
        reason text NOT NULL
    )
    """,
    "GRANT USAGE ON SCHEMA routing_change TO tandem_routing_change",
    """
    GRANT SELECT, INSERT, UPDATE
    ON routing_change.canary, routing_change.seen TO tandem_routing_change
    """,
    "GRANT SELECT, INSERT ON routing_change.move TO tandem_routing_change",
)


def upgrade() -> None:
    """Make the tables, and the role that uses them."""
    migrations_env.ensure_role("tandem_routing_change")
    for statement in _STATEMENTS:
        op.execute(statement)
