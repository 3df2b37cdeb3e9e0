"""Depending on what fails, without failing: deadlines, retries with a budget, breakers, limits.

Each part is a small state machine that is told the time and draws no chance of its own; `layers`
wraps them around asynchronous calls and `Pipeline` puts the layers in order. Nothing here knows
HTTP, routing or money.
"""
