"""Tandem: a double-entry ledger, a bicycle-routing gateway and the courier that rides on both."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tandem.ledger.embedded import open_ledger

__all__ = ["open_ledger"]


def __getattr__(name: str) -> Any:
    """Import `open_ledger` when it is asked for: other processes need no database driver."""
    if name == "open_ledger":
        from tandem.ledger.embedded import open_ledger  # noqa: PLC0415 - the point of it

        return open_ledger
    raise AttributeError(f"module 'tandem' has no attribute {name!r}")
