"""Tandem: a double-entry ledger, a bicycle-routing gateway and the courier that rides on both."""
