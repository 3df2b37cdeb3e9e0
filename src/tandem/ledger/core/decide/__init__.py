"""Deciding: a state, a command and a time give records, or an answer that writes nothing."""

from tandem.ledger.core.decide.decide import Outcome, Replay, decide, expire

__all__ = ["Outcome", "Replay", "decide", "expire"]
