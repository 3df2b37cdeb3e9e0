"""Somebody who can do anything in the database, behind the ledger's back."""

from typing import Any

import psycopg
from psycopg.rows import dict_row


class Intruder:
    """A superuser's connection, with the one ledger's number at hand."""

    def __init__(self, uri: str, ledger_id: int) -> None:
        self._connection = psycopg.connect(uri, autocommit=True)
        self.ledger_id = ledger_id

    def run(self, statement: str) -> int:
        """Change rows of this ledger: `{id}` stands for its number. Give how many."""
        query = statement.replace("{id}", str(self.ledger_id)).encode()
        return self._connection.execute(query).rowcount

    def row(self, statement: str) -> dict[str, Any]:
        """Read one row."""
        query = statement.replace("{id}", str(self.ledger_id)).encode()
        found = self._connection.cursor(row_factory=dict_row).execute(query).fetchone()
        assert found is not None, statement
        return found

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
