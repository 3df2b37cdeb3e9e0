"""Bring a package's schema up to date with Alembic; safe when several servers start at once."""

import logging
import threading
from typing import Final

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from psycopg import sql
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from tandem.platform.errors import DatabaseUnavailable, MigrationError
from tandem.platform.limits import CONNECT_TIMEOUT_S, MIGRATION_LOCK_TIMEOUT_MS

# Alembic keeps the running environment in module globals.
_one_at_a_time: Final = threading.Lock()


def migrate(conninfo: str, script_location: str, schema: str) -> None:
    """Run the migrations that `schema` still lacks; makes the schema where missing.

    `script_location` is a package folder as `tandem.ledger.storage:migrations`, holding an
    `env.py` that calls `migrations_env.run()`. The version table lives in the schema. Blocking:
    call it from a thread. Raises MigrationError, or DatabaseUnavailable.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        with _one_at_a_time, _connect(conninfo, "tandem migration lock") as guard:
            # The lock ends with its connection, so a killed server never leaves it behind.
            key = f"tandem migrations of {schema}"
            guard.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
            statement = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))
            guard.execute(statement)
            _upgrade(conninfo, script_location, schema)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"cannot migrate {schema}: {error}") from error
    except (psycopg.Error, SQLAlchemyError, CommandError) as error:
        raise MigrationError(f"cannot migrate {schema}: {error}") from error


def _connect(conninfo: str, name: str) -> psycopg.Connection:
    connection = psycopg.connect(
        conninfo, autocommit=True, application_name=name, connect_timeout=CONNECT_TIMEOUT_S
    )
    connection.execute(
        sql.SQL("SET lock_timeout = {}").format(sql.Literal(MIGRATION_LOCK_TIMEOUT_MS))
    )
    connection.execute("SET client_min_messages = warning")
    return connection


def _upgrade(conninfo: str, script_location: str, schema: str) -> None:
    def connect() -> psycopg.Connection:
        # SQLAlchemy drives the transaction itself and expects the driver's default.
        connection = _connect(conninfo, "tandem migration")
        connection.autocommit = False
        return connection

    # A creator instead of a URL: every connection string that libpq takes works, sockets included.
    engine = create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            config = Config()
            config.set_main_option("script_location", script_location)
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            config.attributes["schema"] = schema
            command.upgrade(config, "head")
    finally:
        engine.dispose()
