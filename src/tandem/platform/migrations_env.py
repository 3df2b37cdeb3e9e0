"""What a package's Alembic `env.py` and its migrations call.

An `env.py` is two lines:

    from tandem.platform import migrations_env
    migrations_env.run()
"""

from alembic import context, op

_CREATE_ROLE = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {name} NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL; -- another database of this server made it at the same moment
END $$
"""

# A superuser may be any role; another owner must be made a member of the one it created.
_JOIN_ROLE = """
DO $$ BEGIN
    IF NOT pg_has_role(current_user, '{name}', 'MEMBER') THEN
        GRANT {name} TO CURRENT_USER;
    END IF;
END $$
"""


def run() -> None:
    """Run the migrations on the connection that `migrate` opened, in one transaction."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table_schema=context.config.attributes["schema"],
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def ensure_role(name: str) -> None:
    """Make a NOLOGIN role, which belongs to the whole server, and let this user act as it."""
    if not name.isidentifier() or not name.islower():
        raise ValueError(f"a role's name is a lower-case identifier, not {name!r}")
    op.execute(_CREATE_ROLE.format(name=name))
    op.execute(_JOIN_ROLE.format(name=name))
