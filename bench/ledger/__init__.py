"""The ledger's figures, each beside a baseline of the same run: `python -m bench.ledger`."""
