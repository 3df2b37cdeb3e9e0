"""Alembic's entry; the connection and the schema come from the platform."""

from tandem.platform import migrations_env

migrations_env.run()
