"""Where a ledger's log is kept: the port, the PostgreSQL store and the memory store (oracle)."""
