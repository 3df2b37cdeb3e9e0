"""The ledger over HTTP: routes under `/v1/ledgers`, bodies, problems."""

from tandem.ledger.http.quick import install as install_quick_writes
from tandem.ledger.http.routes import create_router, install

__all__ = ["create_router", "install", "install_quick_writes"]
