"""Benches: every figure is a ratio to a baseline taken in the same run."""
