"""Time that moves when a test says so."""

from datetime import UTC, datetime, timedelta

import pytest

from tandem.ledger.times import from_us, to_us

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class VirtualClock:
    """A wall clock in microseconds since 1970; call it to read it."""

    def __init__(self, start: datetime = START) -> None:
        self.now_us = to_us(start, "start")

    def __call__(self) -> int:
        """Read the clock."""
        return self.now_us

    @property
    def now(self) -> datetime:
        """The time as callers of the ledger write it."""
        return from_us(self.now_us)

    def move(self, seconds: float) -> None:
        """Move the clock, back where `seconds` is negative."""
        self.now_us += round(seconds * 1e6)

    def after(self, seconds: float) -> datetime:
        """A time that far from now."""
        return self.now + timedelta(seconds=seconds)


@pytest.fixture
def clock() -> VirtualClock:
    """The clock of the ledgers under test that are in process."""
    return VirtualClock()
