"""The ledger's rules, pure: no clock, no I/O, no randomness. The shell gives time and state in."""
