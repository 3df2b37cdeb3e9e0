"""Known bugs to plant, so that it is known what the simulation finds.

Each changes the ledger, or the store under it, as somebody might who did not know better.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple

import pytest
from tests.simulation import store

from tandem.ledger import working, writer
from tandem.ledger.core.commands import Command
from tandem.ledger.core.decide import Outcome, Replay, decide, entries, holds
from tandem.ledger.core.expiry import ExpiryQueue
from tandem.ledger.core.parents import Parent
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal
from tandem.ledger.core.state import State
from tandem.ledger.reader import BalanceReading, Reader
from tandem.ledger.storage.memory import _Log
from tandem.ledger.storage.port import Append, StorageError, Unsettled
from tandem.ledger.working import WorkingCopy
from tandem.ledger.writer import Writer


class Bug(NamedTuple):
    """How to plant a bug, and a phrase of what the simulation says of it."""

    plant: Callable[[pytest.MonkeyPatch], None]
    said: str


def _answers_early(patch: pytest.MonkeyPatch) -> None:
    """Answer when a batch is sent off, not when it is durable."""
    launch = Writer._launch

    def early(self: Writer, work: Any) -> None:
        if work.batch.records:
            writer._answer(work)
        launch(self, work)

    patch.setattr(Writer, "_launch", early)


def _lost_is_written(patch: pytest.MonkeyPatch) -> None:
    """Take a connection that was lost at COMMIT for a commit."""
    fly = Writer._fly

    async def flown(self: Writer, write: Append) -> StorageError | None:
        error = await fly(self, write)
        return None if isinstance(error, Unsettled) else error

    patch.setattr(Writer, "_fly", flown)


def _no_compare_and_set(patch: pytest.MonkeyPatch) -> None:
    """Write wherever the writer believes the log to end: the last one wins."""

    def append(self: _Log, write: Append) -> None:
        end = write.before.position
        for record in self.records[end:]:
            self.keys.pop(record.key or "", None)
        del self.records[end:], self.bodies[end:]
        for held in self.entries.values():
            held[:] = [entry for entry in held if entry.position <= end]
        for record, body in zip(write.records, write.bodies, strict=True):
            self._take(record, body)
        self.tiles.extend(write.tiles)
        self.head = write.after

    patch.setattr(_Log, "append", append)


def _keys_are_not_unique(patch: pytest.MonkeyPatch) -> None:
    """Neither the writer nor the store looks at keys."""
    append = _Log.append

    def undistinguished(self: _Log, write: Append) -> None:
        self.keys = {}
        append(self, write)

    def forgetful(state: State, command: Command, now_us: int) -> Outcome:
        known, state.keys = state.keys, {}
        try:
            return decide(state, command, now_us)
        finally:
            state.keys = known

    patch.setattr(_Log, "append", undistinguished)
    patch.setattr(store, "_has_key", lambda *_: False)
    patch.setattr(working, "decide", forgetful)
    patch.setattr(working, "write_transfers", lambda *_: 0)


def _keys_of_anybody(patch: pytest.MonkeyPatch) -> None:
    """Take every use of a key for a replay, whatever it asks."""

    def again(earlier: Record, _: Command) -> Replay:
        return Replay(earlier)

    # The package has a function of the same name, so the module is not an attribute of it.
    patch.setattr(import_module("tandem.ledger.core.decide.decide"), "answer_again", again)


def _keys_are_not_learned(patch: pytest.MonkeyPatch) -> None:
    """Do not look up which keys are in the log, even where the store says that one is."""

    async def nothing(self: WorkingCopy, keys: object) -> None:
        pass

    patch.setattr(WorkingCopy, "learn_keys", nothing)


def _no_sweep(patch: pytest.MonkeyPatch) -> None:
    """Never write down that a hold expired."""
    patch.setattr(ExpiryQueue, "next_us", lambda _: None)
    patch.setattr(ExpiryQueue, "due", lambda *_: [])


def _no_expiry(patch: pytest.MonkeyPatch) -> None:
    """Let expired holds be captured, too."""
    _no_sweep(patch)
    open_hold = holds.open_hold

    def timeless(state: State, position: int, _: int) -> Parent | Refusal:
        return open_hold(state, position, 0)

    patch.setattr(holds, "open_hold", timeless)


def _no_roll_back(patch: pytest.MonkeyPatch) -> None:
    """Keep the balances that a batch left which was never written."""
    roll_back, forget = WorkingCopy.roll_back, WorkingCopy._forget

    def rolled_back(self: WorkingCopy) -> None:
        with pytest.MonkeyPatch.context() as within:
            within.setattr(WorkingCopy, "_forget", opened_only)
            roll_back(self)

    def opened_only(self: WorkingCopy, record: Record) -> None:
        if record.account is not None:
            forget(self, record)

    patch.setattr(WorkingCopy, "roll_back", rolled_back)


def _no_following(patch: pytest.MonkeyPatch) -> None:
    """Keep what another writer's records made old."""
    patch.setattr(WorkingCopy, "_forget", lambda *_: None)


def _no_limits(patch: pytest.MonkeyPatch) -> None:
    """Let everybody overdraw."""
    patch.setattr(entries, "_limits", lambda *_: None)


def _no_capture_limit(patch: pytest.MonkeyPatch) -> None:
    """Capture more than was held."""
    patch.setattr(holds, "_beyond", lambda *_: None)


def _stale_reads(patch: pytest.MonkeyPatch) -> None:
    """Answer every second read of a balance with the one before."""
    balance_now = Reader.balance_now
    cache: dict[tuple[int, str], BalanceReading] = {}

    async def cached(self: Reader, address: str) -> BalanceReading:
        found = cache.pop((id(self._store), address), None)
        if found is None:
            found = await balance_now(self, address)
            cache[id(self._store), address] = found
        return found

    patch.setattr(Reader, "balance_now", cached)


def _times_stay_open(patch: pytest.MonkeyPatch) -> None:
    """Read at a time that is not closed yet."""

    async def nothing(self: Reader, time_us: int) -> None:
        pass

    patch.setattr(Reader, "close_time", nothing)


BUGS: Final = {
    "answers before it is durable": Bug(_answers_early, "which is not in the log"),
    "a lost commit is a commit": Bug(_lost_is_written, "which is not in the log"),
    "no compare-and-set": Bug(_no_compare_and_set, "the log has position"),
    "keys are not unique": Bug(_keys_are_not_unique, "is at"),
    "keys are anybody's": Bug(_keys_of_anybody, "another's outcome"),
    "keys are not learned": Bug(_keys_are_not_learned, "was not answered"),
    "no sweep": Bug(_no_sweep, "expired before it, unwritten"),
    "no expiry": Bug(_no_expiry, "expired before it, unwritten"),
    "no roll back": Bug(_no_roll_back, "go from"),
    "no following": Bug(_no_following, "go from"),
    "no limits": Bug(_no_limits, "below"),
    "no capture limit": Bug(_no_capture_limit, "is captured to"),
    "stale reads": Bug(_stale_reads, "it is as of"),
    "times stay open": Bug(_times_stay_open, "the last record by then is"),
}
