"""Auditing: recompute every invariant of a ledger from its records' bytes.

`log` walks the bytes and trusts nothing else; `verify` holds the rows of a store to them, `bundle`
does without any store: a file, a signed checkpoint and the public key are enough.
"""
