"""Group commit: what queues while a batch is written becomes the next batch. No timer, no linger.

The next batch is decided while the last one is being written. An append that fails is settled
under the head's lock: follow the log, decide again, write. Callers hear of nothing that is not
durable.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from tandem.ledger.core.commands import AtomicBatch, Command, named_entries
from tandem.ledger.core.decide import Replay
from tandem.ledger.core.limits import (
    CONTENDED_APPENDS,
    DRAIN_TIMEOUT_MS,
    MAX_APPEND_ATTEMPTS,
    MAX_QUEUED_WEIGHT,
    MAX_WEIGHT_PER_APPEND,
    PROMPT_WEIGHT,
    RETRY_PAUSE_MS,
)
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.storage.port import (
    Append,
    Conflict,
    DuplicateKey,
    Head,
    LedgerStore,
    StorageError,
)
from tandem.ledger.working import Batch, Decision, Fault, WorkingCopy, keys_of

_log: Final = logging.getLogger(__name__)
# A named tuple's own constructor is a Python call; transfers come by the thousand.
_new: Final = tuple.__new__


class Answer(NamedTuple):
    """What became of a command.

    Its records (an atomic batch has several), a refusal that was not written, or a fault of ours.
    A refusal that was written is a record of that kind.
    """

    records: Sequence[Record]
    replayed: bool
    refusal: Refusal | None = None
    fault: Exception | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Submission:
    commands: Sequence[Command]
    weight: int
    done: asyncio.Future[list[Answer]]


class _Mixed(Conflict):
    """Deciding failed, as it may where another writer is ahead of what is remembered."""


class _Work(NamedTuple):
    """A batch with the submissions and decisions that it answers."""

    batch: Batch
    submissions: list[_Submission]
    decisions: list[list[Decision]]

    @property
    def weight(self) -> int:
        return sum(submission.weight for submission in self.submissions)


class Writer:
    """The one writer of a ledger in this process. Others may write too; the head fences them."""

    def __init__(
        self,
        store: LedgerStore,
        head: Head,
        now_us: Callable[[], int],
        on_durable: Callable[[int], None] | None = None,
    ) -> None:
        self._store = store
        self._name = head.name
        self._on_durable = on_durable or (lambda _position: None)
        self._head = head
        self._now_us = now_us
        self._copy = WorkingCopy(store, head, now_us)
        self._queue: deque[_Submission] = deque()
        self._unanswered: dict[_Submission, None] = {}  # in order
        self._queued = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._contended = 0
        self._fresh = False  # whether the working copy follows the log
        self._flight: asyncio.Task[StorageError | None] | None = None
        self._flying: _Work | None = None
        self._task: asyncio.Task[None] | None = None

    # -- callers -------------------------------------------------------------------------------

    def start(self) -> None:
        """Start writing on the running event loop."""
        self._task = asyncio.create_task(self._run(), name=f"writer of {self._name}")

    async def submit(self, commands: Sequence[Command]) -> list[Answer]:
        """Decide and write commands in order; one answer each, durable on return.

        Refused `overloaded` while the queue is full and `unavailable` while closing or where the
        store cannot be reached; then nothing is known to be written, and the keys tell later.
        """
        if self._closing or self._task is None or self._task.done():
            return _all(commands, RefusalCode.UNAVAILABLE, "the ledger is shutting down")
        weight = _weight(commands)
        if self._queued and self._queued + weight > MAX_QUEUED_WEIGHT:
            return _all(commands, RefusalCode.OVERLOADED, "the ledger's queue is full")
        done: asyncio.Future[list[Answer]] = asyncio.get_running_loop().create_future()
        submission = _Submission(commands, weight, done)
        self._queue.append(submission)
        self._unanswered[submission] = None
        self._queued += weight
        self._wake.set()
        try:
            return await done
        finally:
            self._unanswered.pop(submission, None)

    def sweep(self) -> None:
        """Look for expired holds now instead of when the next one is due."""
        self._wake.set()

    async def close(self) -> None:
        """Take no more, write what is queued, and stop. Idempotent."""
        self._closing = True
        self._wake.set()
        if self._task is None:
            return
        _, late = await asyncio.wait([self._task], timeout=DRAIN_TIMEOUT_MS / 1000)
        for task in late:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    @property
    def queued(self) -> int:
        """The weight of the commands that wait."""
        return self._queued

    # -- the loop ------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._guarded(self._settle([], None))
            while not (self._closing and not self._queue and self._flight is None):
                await self._idle()
                await self._guarded(self._turn())
        finally:
            self._fail_all("the ledger stopped")

    async def _guarded(self, step: Coroutine[Any, Any, None]) -> None:
        """Survive a fault of ours: say it loudly, answer nobody falsely, start over from the log.

        Nothing wrong can have been written: the log decides, and the head fences.
        """
        try:
            await step
        except Exception:  # noqa: BLE001 - whatever it is, callers must be answered
            _log.exception("the writer of %s starts over", self._name)
            flight, self._flight, self._flying = self._flight, None, None
            if flight is not None:
                await asyncio.wait([flight])
            self._fail_all("a fault of the ledger; repeat with the same key")
            self._copy = WorkingCopy(self._store, self._head, self._now_us)
            self._fresh = False
            await asyncio.sleep(RETRY_PAUSE_MS / 1000)

    async def _turn(self) -> None:
        if not self._fresh or self._contended:
            self._contended = max(0, self._contended - 1)
            await self._land()
            await self._settle(self._take_queued(0), None)
            return
        if not self._queue and not self._hold_due():
            await self._land()
            return
        work = _Work(self._copy.begin(), [], [])
        try:
            await self._grow(work)
            while self._flight is not None and not self._flight.done():
                await self._wait()
                await self._grow(work)
        except Exception as error:  # noqa: BLE001 - what is no such mixture crashes again, settled
            # What decisions need could not be read; or it was read while another writer was ahead,
            # and does not agree with what is remembered. Settle what is flying and these with it.
            await self._land(
                work, error if isinstance(error, StorageError) else _Mixed(repr(error))
            )
            return
        await self._land(work)

    async def _grow(self, work: _Work) -> None:
        """Decide what is queued, and what has expired, into a batch that still has room."""
        submissions = self._take_queued(work.weight)
        if submissions or self._hold_due():
            work.submissions.extend(submissions)
            await self._decide(work, submissions)
            if work.batch.crashed:
                raise _Mixed("a decision crashed: another writer may be ahead")

    async def _decide(self, work: _Work, submissions: Sequence[_Submission]) -> None:
        # Also without submissions: holds that expired are written down by every decision.
        for submission in submissions or (None,):
            commands = () if submission is None else submission.commands
            decisions = await self._copy.decide(work.batch, commands)
            while decisions is None:
                # A mass expiry comes first. It may overfill this batch, but only by holds.
                decisions = await self._copy.decide(work.batch, commands)
            if submission is not None:
                work.decisions.append(decisions)

    def _take_queued(self, weight: int) -> list[_Submission]:
        """Take what fits into a batch of this weight; an empty batch takes at least one.

        While nothing is being written a smaller batch goes off, and the next is decided meanwhile;
        else callers who were answered together would come and wait together for ever.
        """
        idle = self._flight is None or self._flight.done()
        fits = PROMPT_WEIGHT if idle else MAX_WEIGHT_PER_APPEND
        taken: list[_Submission] = []
        self._wake.clear()
        while self._queue:
            weight += self._queue[0].weight
            if weight > fits and weight > self._queue[0].weight:
                break
            submission = self._queue.popleft()
            self._queued -= submission.weight
            taken.append(submission)
        return taken

    def _hold_due(self) -> bool:
        next_us = self._copy.expiry.next_us()
        return next_us is not None and next_us <= self._now_us()

    async def _idle(self) -> None:
        """Wait until there is something to do."""
        while not (self._queue or self._closing or self._hold_due()):
            if self._flight is not None and self._flight.done():
                return
            await self._wait()
            self._wake.clear()  # whoever set it also did what the condition above looks at

    async def _wait(self) -> None:
        """Wait for a flight to land, a submission or the next expiry; may wake for nothing."""
        next_us = self._copy.expiry.next_us()
        if next_us is None:
            await self._wake.wait()
            return
        delay_s = max(0.0, (next_us - self._now_us()) / 1e6)
        alarm = asyncio.get_running_loop().call_later(delay_s, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    # -- flights -------------------------------------------------------------------------------

    def _launch(self, work: _Work) -> None:
        if not work.batch.records:
            # Only replays and refusals of reused keys: what they rest on is durable.
            self._copy.dropped(work.batch)
            _answer(work)
            return
        self._flying = work
        # Sealed here, not in the task: the next batch may begin before the task first runs.
        flight = self._fly(work.batch.seal())
        self._flight = asyncio.eager_task_factory(
            asyncio.get_running_loop(), flight, name=f"append to {self._name}"
        )
        self._flight.add_done_callback(lambda _flight: self._wake.set())

    async def _fly(self, write: Append) -> StorageError | None:
        try:
            await self._store.append(write)
        except StorageError as error:
            return error
        return None

    async def _land(self, work: _Work | None = None, error: StorageError | None = None) -> None:
        """Wait for the flight, launch the next batch, answer. What failed is settled instead."""
        flying, self._flying = self._flying, None
        flight, self._flight = self._flight, None
        failed = None if flight is None else await flight
        submissions = [] if work is None else work.submissions
        if flying is not None and failed is None:
            self._copy.landed(flying.batch)
            self._on_durable(self._copy.durable.position)
        elif flying is not None:
            submissions = flying.submissions + submissions
        mixed = isinstance(error, _Mixed)
        error = failed or error
        if error is None and work is not None:
            # First of all: the database has nothing to do, and those answered may keep us busy.
            self._launch(work)
        if flying is not None and failed is None:
            _answer(flying)
        if error is not None:
            if mixed:
                # Whatever failed may have been half remembered; nothing of it may be believed.
                self._copy = WorkingCopy(self._store, self._head, self._now_us)
                self._fresh = False
            else:
                self._copy.roll_back()
            await self._settle(submissions, error)

    async def _settle(self, submissions: list[_Submission], error: StorageError | None) -> None:
        """Write under the head's lock, so that another writer cannot come first again."""
        learn = isinstance(error, DuplicateKey)
        for attempt in range(1, MAX_APPEND_ATTEMPTS + 1):
            try:
                await self._settle_once(submissions, error, learn=learn)
            except StorageError as failed:
                self._copy.roll_back()
                self._fresh = False
                error = failed
                learn = learn or not isinstance(failed, Conflict)
                _log.warning("append to %s, attempt %d: %s", self._name, attempt, failed)
                await asyncio.sleep(attempt * RETRY_PAUSE_MS / 1000)
            else:
                self._fresh = True
                return
        for submission in submissions:
            answers = _all(
                submission.commands, RefusalCode.UNAVAILABLE, f"not known to be written: {error}"
            )
            _resolve(submission, answers)

    async def _settle_once(
        self, submissions: list[_Submission], error: StorageError | None, *, learn: bool
    ) -> None:
        async with self._store.locked(self._name) as locked:
            if isinstance(error, Conflict) and locked.head.position > self._copy.durable.position:
                # Another writer is at it; a time that a reader closed is no competitor.
                self._contended = CONTENDED_APPENDS
            if not self._fresh and self._copy.state.position == 0:
                await self._copy.reset(locked.head)
            await self._copy.follow(locked.head)
            if learn:
                keys = [key for one in submissions for key in keys_of(one.commands)]
                await self._copy.learn_keys(keys)
            work = _Work(self._copy.begin(), submissions, [])
            await self._decide(work, submissions)
            if work.batch.records:
                await locked.append(work.batch.seal())
        if work.batch.records:
            self._copy.landed(work.batch)
            self._on_durable(self._copy.durable.position)
        else:
            self._copy.dropped(work.batch)
        _answer(work)

    def _fail_all(self, why: str) -> None:
        """Leave no caller waiting, whatever happened to what was taken from the queue."""
        self._queue.clear()
        self._queued = 0
        for submission in self._unanswered:
            answers = _all(submission.commands, RefusalCode.UNAVAILABLE, why)
            _resolve(submission, answers)


def _answer(work: _Work) -> None:
    for submission, decisions in zip(work.submissions, work.decisions, strict=True):
        _resolve(submission, [_answered(decision) for decision in decisions])


def _answered(decision: Decision) -> Answer:
    if type(decision) is tuple:  # the usual case, told apart at once
        return _new(Answer, (decision, False, None, None))
    match decision:
        case Replay(record):
            return Answer((record,), replayed=True)
        case Refusal():
            return Answer((), replayed=False, refusal=decision)
        case Fault(error):
            _log.error("a command crashed the decision", exc_info=error)
            return Answer((), replayed=False, fault=error)
        case _:
            return Answer(decision, replayed=False)


def _resolve(submission: _Submission, answers: list[Answer]) -> None:
    # A caller that gave up has cancelled its future; its commands are decided all the same.
    if not submission.done.done():
        submission.done.set_result(answers)


def _all(commands: Sequence[Command], code: RefusalCode, detail: str) -> list[Answer]:
    return [Answer((), replayed=False, refusal=Refusal(code, detail)) for _ in commands]


def _weight(commands: Sequence[Command]) -> int:
    """How many records or pairs of entries commands may write; what bounds queue and batch."""
    weight = len(commands)
    for command in commands:
        if isinstance(command, AtomicBatch):
            weight += _weight(command.commands)
        else:
            weight += named_entries(command) // 2
    return weight
