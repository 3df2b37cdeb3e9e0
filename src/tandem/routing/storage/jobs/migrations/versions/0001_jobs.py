"""Jobs. What was asked, what came of it and which states a job was in is only ever inserted."""

from alembic import op

from tandem.platform import migrations_env

revision = "0001"
down_revision = None

ROLE = "tandem_routing_jobs"

_STATEMENTS = (
    """
    CREATE TABLE routing_jobs.job (
        job_id uuid PRIMARY KEY,
        tenant text COLLATE "C" NOT NULL,
        idempotency_key text COLLATE "C" NOT NULL,
        fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
        kind text NOT NULL,
        items integer NOT NULL CHECK (items > 0),
        state text NOT NULL,
        created_at timestamptz NOT NULL,
        finished_at timestamptz,
        succeeded integer,
        failed integer,
        UNIQUE (tenant, idempotency_key)
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE INDEX job_active ON routing_jobs.job (tenant, created_at, job_id) INCLUDE (items)
    WHERE state IN ('queued', 'running')
    """,
    "CREATE INDEX job_finished ON routing_jobs.job (finished_at) WHERE finished_at IS NOT NULL",
    # Every state at most once: whoever comes second finds it taken.
    """
    CREATE TABLE routing_jobs.transition (
        job_id uuid NOT NULL REFERENCES routing_jobs.job ON DELETE CASCADE,
        state text NOT NULL,
        at timestamptz NOT NULL,
        PRIMARY KEY (job_id, state)
    )
    """,
    """
    CREATE TABLE routing_jobs.item (
        job_id uuid NOT NULL REFERENCES routing_jobs.job ON DELETE CASCADE,
        index integer NOT NULL,
        request text NOT NULL,
        PRIMARY KEY (job_id, index)
    )
    """,
    """
    CREATE TABLE routing_jobs.result (
        job_id uuid NOT NULL,
        index integer NOT NULL,
        succeeded boolean NOT NULL,
        body text NOT NULL,
        PRIMARY KEY (job_id, index),
        FOREIGN KEY (job_id, index) REFERENCES routing_jobs.item ON DELETE CASCADE
    )
    """,
    """
    CREATE TABLE routing_jobs.chunk (
        job_id uuid NOT NULL REFERENCES routing_jobs.job ON DELETE CASCADE,
        number integer NOT NULL,
        rounds integer NOT NULL,
        due_at timestamptz NOT NULL,
        done boolean NOT NULL,
        PRIMARY KEY (job_id, number)
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX chunk_open ON routing_jobs.chunk (job_id, number) WHERE NOT done",
    """
    CREATE TABLE routing_jobs.submission (
        job_id uuid PRIMARY KEY REFERENCES routing_jobs.job ON DELETE CASCADE,
        callback_url text,
        state text NOT NULL,
        provider_job_id text COLLATE "C" UNIQUE,
        sent_at timestamptz,
        attempts integer NOT NULL,
        due_at timestamptz NOT NULL,
        last_error text
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE INDEX submission_due ON routing_jobs.submission (due_at)
    WHERE state IN ('intended', 'submitted')
    """,
    """
    CREATE TABLE routing_jobs.callback (
        job_id uuid PRIMARY KEY REFERENCES routing_jobs.job ON DELETE CASCADE,
        url text NOT NULL,
        secret bytea NOT NULL,
        state text NOT NULL,
        attempts integer NOT NULL,
        due_at timestamptz NOT NULL,
        last_error text
    ) WITH (fillfactor = 50)
    """,
    "CREATE INDEX callback_due ON routing_jobs.callback (due_at) WHERE state = 'due'",
    """
    CREATE TABLE routing_jobs.received (
        message_id text COLLATE "C" PRIMARY KEY,
        received_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX received_at ON routing_jobs.received (received_at)",
    f"GRANT USAGE ON SCHEMA routing_jobs TO {ROLE}",
    f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA routing_jobs TO {ROLE}",
    # Nobody rewrites an item, a result or a transition.
    f"""
    GRANT UPDATE (state, finished_at, succeeded, failed) ON routing_jobs.job TO {ROLE};
    GRANT UPDATE (rounds, due_at, done) ON routing_jobs.chunk TO {ROLE};
    GRANT UPDATE (state, provider_job_id, sent_at, attempts, due_at, last_error)
    ON routing_jobs.submission TO {ROLE};
    GRANT UPDATE (state, attempts, due_at, last_error) ON routing_jobs.callback TO {ROLE}
    """,
)


def upgrade() -> None:
    """Make the tables, and the role that uses them."""
    migrations_env.ensure_role(ROLE)
    for statement in _STATEMENTS:
        op.execute(statement)
