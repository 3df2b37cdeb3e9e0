"""Tandem: a double-entry ledger, a bicycle-routing gateway and the courier that rides on both."""

from tandem.ledger.embedded import open_ledger

__all__ = ["open_ledger"]
