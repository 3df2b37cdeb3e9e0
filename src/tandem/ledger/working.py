"""The writer's working copy of a ledger: state for decisions, the tree, and what is not durable.

It runs ahead of the store by the batches that are being written. When one of them does not make
it, the copy goes back to the last durable head and follows the log from there.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import Account, parse_asset
from tandem.ledger.core.canonical import decode, encode_with_columns
from tandem.ledger.core.commands import AtomicBatch, Command
from tandem.ledger.core.decide import Outcome, decide, expire
from tandem.ledger.core.decide.transfer import PERHAPS_USUAL, Written, write_transfers
from tandem.ledger.core.expiry import Due, ExpiryQueue
from tandem.ledger.core.kinds import POSTING, RecordKind
from tandem.ledger.core.limits import (
    CACHED_ACCOUNTS,
    CACHED_KEYS,
    CACHED_PARENTS,
    DECIDE_CHUNK_COMMANDS,
    EXPIRY_LOOKAHEAD_US,
    EXPIRY_WINDOW_HOLDS,
    MAX_EXPIRIES_PER_APPEND,
    MAX_FOLLOWED_RECORDS,
)
from tandem.ledger.core.merkle import (
    TILE_HASHES,
    TILE_HEIGHT,
    Tree,
    leaf_hash,
    leaf_hashes,
    tile_root,
)
from tandem.ledger.core.parents import fold
from tandem.ledger.core.records import ZERO, Record
from tandem.ledger.core.state import Needs, State, needs
from tandem.ledger.storage.port import Append, Displaced, Head, LedgerStore

_LOADED_EXPIRIES: Final = 2 * MAX_EXPIRIES_PER_APPEND


class Fault(NamedTuple):
    """A command crashed the decision: a fault of ours, which the rest of its batch survives."""

    error: Exception


type Decision = Outcome | Fault


class _NotLoaded(NamedTuple):
    """The state did not hold what the decision needs."""

    error: KeyError


class Batch:
    """Commands decided on top of a head, to be written in one append."""

    def __init__(self, before: Head, tree: Tree) -> None:
        self.before = before
        self.tree = tree.copy()
        self.written = Written([], [], [])
        self.annotated: list[Record] = []
        self.opened: dict[int, Account] = {}
        self.updated: dict[int, Account] = {}
        self.closed_through_us = before.closed_through_us
        self.crashed = False  # whether a decision did
        self.displaced: list[Displaced] = []
        self.passed: list[Due] = []  # holds that were taken out of the queue meanwhile
        self.sealed: Append | None = None

    @property
    def records(self) -> list[Record]:
        """What was decided so far."""
        return self.written.records

    def add(self, record: Record, accounts: Mapping[str, Account | None]) -> None:
        """Take a decided record in; `accounts` are those of its entries."""
        body, columns = encode_with_columns(record)
        lines: list[str] = []
        for leg, numbers in enumerate(columns):
            account = accounts[record.entries[leg][0]]
            assert account is not None
            lines.append(f"{account.number},{record.position},{leg},{numbers}")
            if record.effective_at_us is not None:
                self._displace(account.number, record, leg)
        self.written.records.append(record)
        self.written.bodies.append(body)
        self.written.entry_lines.extend(lines)
        if record.reference is not None or record.metadata:
            self.annotated.append(record)
        if record.account is not None:
            self._change(record.kind, record.account)
        if record.closed_through_us is not None:
            self.closed_through_us = record.closed_through_us

    def _change(self, kind: RecordKind, account: Account) -> None:
        if kind is RecordKind.OPEN_ACCOUNT:
            self.opened[account.number] = account
        elif kind is RecordKind.UPDATE_ACCOUNT:
            self.updated[account.number] = account

    def _displace(self, account_number: int, record: Record, leg: int) -> None:
        _, effect, amount_minor, _ = record.entries[leg]
        assert record.effective_at_us is not None
        if effect in POSTING:
            self.displaced.append(
                Displaced(
                    account_number,
                    record.position,
                    leg,
                    record.effective_at_us,
                    int(effect),
                    amount_minor,
                )
            )

    def seal(self) -> Append:
        """Close the batch; it takes no more records."""
        records, bodies, entry_lines = self.written
        tiles = self.tree.extend(leaf_hashes(bodies))
        last = records[-1]
        next_number = max(self.opened, default=self.before.next_account_number - 1) + 1
        self.sealed = Append(
            self.before,
            self.before._replace(
                position=last.position,
                recorded_at_us=last.recorded_at_us,
                next_account_number=next_number,
                frontier=self.tree.frontier,
                closed_through_us=self.closed_through_us,
            ),
            records,
            bodies,
            entry_lines,
            list(self.opened.values()),
            list(self.updated.values()),
            tiles,
            self.annotated,
            self.displaced,
        )
        return self.sealed


class WorkingCopy:
    """What one writer knows of one ledger. Not shared: only its writer's task touches it."""

    def __init__(self, store: LedgerStore, head: Head, now_us: Callable[[], int]) -> None:
        self._store = store
        self._now_us = now_us
        self._ledger_id = head.ledger_id
        self._flying: list[Batch] = []
        self.durable = head
        self._durable_tree = Tree()
        self.state = State()
        self.expiry = ExpiryQueue()
        self._until_us = 0
        self._learned = 0

    # -- batches -------------------------------------------------------------------------------

    def begin(self) -> Batch:
        """Begin a batch on top of everything decided so far."""
        if self._flying:
            last = self._flying[-1]
            assert last.sealed is not None
            batch = Batch(last.sealed.after, last.tree)
        else:
            batch = Batch(self.durable, self._durable_tree)
        self._flying.append(batch)
        return batch

    def landed(self, batch: Batch) -> None:
        """Note that the oldest batch is durable."""
        assert self._flying[0] is batch
        assert batch.sealed is not None
        self._flying.pop(0)
        self._learned = 0
        self.durable, self._durable_tree = batch.sealed.after, batch.tree

    def dropped(self, batch: Batch) -> None:
        """Note that a batch has nothing to write."""
        assert not batch.records
        self._learned = 0
        self._flying.remove(batch)

    def roll_back(self) -> None:
        """Forget every batch that is not durable; follow the log before deciding again."""
        for batch in self._flying:
            for record in batch.records:
                self._forget(record)
                if record.key is not None:
                    self.state.keys.pop(record.key, None)
            for due in batch.passed:
                # Written down as expired, or found ended by a record that is not to be.
                self.expiry.add(due)
        self._flying.clear()
        self._learned = 0

    # -- deciding ------------------------------------------------------------------------------

    async def decide(self, batch: Batch, commands: Sequence[Command]) -> list[Decision] | None:
        """Decide commands into a batch, after writing down the holds that have expired.

        None where so many expired that they fill the batch: the commands come after them.
        """
        assert batch.sealed is None
        await self._prepare()
        now_us = max(self._now_us(), self.state.recorded_at_us + 1)
        if self._due(now_us, MAX_EXPIRIES_PER_APPEND + 1):
            with suppress(KeyError):  # what comes due meanwhile is loaded by the next turn
                for _ in range(MAX_EXPIRIES_PER_APPEND):
                    self._expire_next(batch, max(now_us, self.state.recorded_at_us + 1))
            return None
        if not commands:
            with suppress(KeyError):
                self._sweep(batch, 0)
        decisions: list[Decision] = []
        while len(decisions) < len(commands):
            if decisions:
                await asyncio.sleep(0)  # others on this event loop want their turn too
            end = min(len(decisions) + DECIDE_CHUNK_COMMANDS, len(commands))
            while len(decisions) < end:
                if type(commands[len(decisions)]) in PERHAPS_USUAL:
                    decisions += self._write_run(batch, commands[len(decisions) : end])
                if len(decisions) < end:
                    decisions.append(await self._decide_surely(batch, commands, len(decisions)))
        return decisions

    def _write_run(self, batch: Batch, commands: Sequence[Command]) -> list[Decision]:
        """Decide the usual transfers that these begin with; none of them may see a hold expire."""
        try:
            now_us = self._sweep(batch, 0)
        except KeyError:
            return []
        next_us = self.expiry.next_us()
        last_us = self._until_us if next_us is None else min(self._until_us, next_us - 1)
        count = write_transfers(self.state, commands, now_us, max(now_us, last_us), batch.written)
        return [(record,) for record in batch.records[len(batch.records) - count :]]

    async def _decide_surely(self, batch: Batch, commands: Sequence[Command], at: int) -> Decision:
        """Decide one; where what it needs is not loaded, load what it and those after it need."""
        decision = self._decide_one(batch, commands[at])
        if isinstance(decision, _NotLoaded):
            # Usually all is cached; so the look for what is not comes second.
            await self._prepare()
            await self._load(commands[at:])
            decision = self._decide_one(batch, commands[at])
        if isinstance(decision, _NotLoaded):
            decision = Fault(decision.error)
        if isinstance(decision, Fault):
            batch.crashed = True
        return decision

    def _time_us(self) -> int:
        """The time of the next record: the clock's, or just after the last record's.

        Never past the time up to which expiring holds are loaded.
        """
        return max(min(self._now_us(), self._until_us), self.state.recorded_at_us + 1)

    def _decide_one(self, batch: Batch, command: Command) -> "Decision | _NotLoaded":
        try:
            now_us = self._sweep(batch, _span_us(command))
            outcome = decide(self.state, command, now_us)
        except KeyError as error:
            return _NotLoaded(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest goes on
            return Fault(error)
        if type(outcome) is tuple:
            for record in outcome:
                self._take(batch, record)
        return outcome

    def _sweep(self, batch: Batch, span_us: int) -> int:
        """Write down what has expired; return the time of the next record.

        No hold expires from then until `span_us` later, so no record of a command that takes so
        long stands after an expiry that is not written down. Raises KeyError where a hold is not
        loaded.
        """
        now_us = self._time_us()
        while True:
            next_us = self.expiry.next_us()
            if next_us is None or next_us > now_us + span_us:
                return now_us
            now_us = max(now_us, next_us)
            self._expire_next(batch, now_us)
            now_us = max(now_us, self.state.recorded_at_us + 1)

    def _expire_next(self, batch: Batch, now_us: int) -> None:
        expires_at_us, position = self.expiry.next_us(), self.expiry.peek(now_us)
        if position is None or expires_at_us is None:
            return
        record = expire(self.state, position, now_us)
        self.expiry.pop(now_us)
        batch.passed.append(Due(expires_at_us, position))
        if record is not None:
            self._take(batch, record)

    def _take(self, batch: Batch, record: Record) -> None:
        self.state.apply(record)
        batch.add(record, self.state.accounts)
        if record.kind is RecordKind.HOLD and record.expires_at_us is not None:
            self.expiry.add(Due(record.expires_at_us, record.position))

    # -- loading -------------------------------------------------------------------------------

    async def _prepare(self) -> None:
        """Make room in the caches, and load the holds that will have expired soon."""
        self._trim()
        until_us = max(self._now_us(), self.state.recorded_at_us) + EXPIRY_LOOKAHEAD_US
        while self.expiry.stale(until_us) and len(self.expiry) <= _LOADED_EXPIRIES:
            await self._load_expiring()
        due = self.expiry.due(until_us)
        if len(due) > _LOADED_EXPIRIES:
            # Time does not pass the first hold that is not loaded, until the ones before it ended.
            until_us = due[_LOADED_EXPIRIES].expires_at_us - 1
        if due:
            positions = {hold.position for hold in due[:_LOADED_EXPIRIES]}
            await self._load_needs(Needs(set(), positions, set()))
        self._until_us = until_us

    def _due(self, now_us: int, count: int) -> bool:
        """Tell whether at least so many holds have expired."""
        next_us = self.expiry.next_us()
        if next_us is None or next_us > now_us:
            return False
        return len(self.expiry.due(now_us)) >= count

    async def _load(self, commands: Sequence[Command]) -> None:
        wanted = Needs(set(), set(), set())
        for command in commands:
            needs(command, wanted)
        await self._load_needs(wanted)

    async def _load_needs(self, wanted: Needs) -> None:
        await self._load_parents(wanted)
        state = self.state
        # In order, so that one run is like another: what is loaded first is forgotten first.
        addresses = sorted(wanted.addresses - state.accounts.keys())
        assets = sorted(wanted.assets - state.assets.keys())
        if not addresses and not assets:
            return
        loaded = await self._store.load(self._ledger_id, addresses, (), assets)
        for address in addresses:
            account = loaded.accounts.get(address)
            state.accounts[address] = account
            state.balances[address] = loaded.balances.get(address, ZERO)
        for asset in assets:
            state.assets[asset] = loaded.scales.get(asset)

    async def _load_parents(self, wanted: Needs) -> None:
        state = self.state
        missing = [position for position in wanted.parents if position not in state.parents]
        if missing:
            # Listed before the load: a batch that lands meanwhile may be too late for either.
            undurable = list(self._undurable())
            loaded = await self._store.load(self._ledger_id, (), missing, ())
            for position in missing:
                chain = {record.position: record for record in loaded.chains.get(position, ())}
                for record in undurable:
                    if position in (record.position, record.parent):
                        chain[record.position] = record
                begun = position in chain
                state.parents[position] = (
                    fold(chain[key] for key in sorted(chain)) if begun else None
                )
        for position in wanted.parents:
            parent = state.parent(position)
            if parent is not None:
                wanted.addresses.update(leg.address for leg in parent.legs)

    async def _load_expiring(self) -> None:
        undurable = list(self._undurable())
        horizon = self.expiry.horizon
        stored = await self._store.expiring(self._ledger_id, horizon, EXPIRY_WINDOW_HOLDS)
        self.expiry.load(stored)
        known = set(stored)
        for record in undurable:
            if record.kind is RecordKind.HOLD and record.expires_at_us is not None:
                due = Due(record.expires_at_us, record.position)
                if due > horizon and due not in known:
                    self.expiry.add(due)

    def _undurable(self) -> Iterable[Record]:
        for batch in self._flying:
            yield from batch.records

    # -- following -----------------------------------------------------------------------------

    async def reset(self, head: Head) -> None:
        """Start over from a head, knowing nothing else; holds are loaded by the next decision."""
        assert not self._flying
        tree = await self._restored_tree(head)
        self.durable, self._durable_tree = head, tree
        self.state = State(
            head.position, head.recorded_at_us, head.next_account_number, head.closed_through_us
        )
        self.expiry = ExpiryQueue()

    async def follow(self, head: Head) -> None:
        """Catch up with the log from the last durable head on."""
        assert not self._flying
        behind = head.position - self.durable.position
        if behind > MAX_FOLLOWED_RECORDS:
            await self.reset(head)
            return
        tree = self._durable_tree.copy()
        if behind:
            bodies = await self._store.bodies(self._ledger_id, self.durable.position, behind)
            assert len(bodies) == behind
            for body in bodies:
                tree.append(leaf_hash(body.encode()))
                self._learn(decode(body))
        assert tree.frontier == head.frontier, "the log does not match its Merkle frontier"
        self.durable, self._durable_tree = head, tree
        self.state.position = head.position
        self.state.recorded_at_us = head.recorded_at_us
        self.state.next_account_number = head.next_account_number
        self.state.closed_through_us = head.closed_through_us

    async def learn_keys(self, keys: Sequence[str]) -> None:
        """Find out which keys are in the log already; known until a batch is decided with them."""
        for record in await self._store.by_keys(self._ledger_id, keys):
            assert record.key is not None
            self.state.keys.pop(record.key, None)  # so that it is among the newest
            self.state.keys[record.key] = record
            self._learned += 1

    def _learn(self, record: Record) -> None:
        """Take note of another writer's record: what it touched must be loaded again."""
        self._forget(record)
        if record.key is not None:
            self.state.keys[record.key] = record
        if record.kind is RecordKind.HOLD and record.expires_at_us is not None:
            self.expiry.add(Due(record.expires_at_us, record.position))

    def _forget(self, record: Record) -> None:
        state = self.state
        for entry in record.entries:
            state.accounts.pop(entry.address, None)
            state.balances.pop(entry.address, None)
        state.parents.pop(record.position, None)
        if record.parent is not None:
            state.parents.pop(record.parent, None)
        if record.account is not None:
            self._forget_account(record.account)

    def _forget_account(self, account: Account) -> None:
        self.state.accounts.pop(account.address, None)
        self.state.balances.pop(account.address, None)
        asset = parse_asset(account.asset)
        assert asset is not None
        self.state.assets.pop(asset[0], None)

    async def _restored_tree(self, head: Head) -> Tree:
        """Rebuild the partial tiles: the last bodies for level 0, roots of full tiles above."""
        size, partial = head.position, list[list[bytes]]()
        if size:
            first = size - size % TILE_HASHES
            bodies = await self._store.bodies(self._ledger_id, first, size - first)
            partial.append(leaf_hashes(bodies))
        level, full = 0, size >> TILE_HEIGHT
        while full:
            first = full - full % TILE_HASHES
            tiles = await self._store.tiles(self._ledger_id, level, first, full - first)
            partial.append([tile_root(hashes) for hashes in tiles])
            assert len(tiles) == full - first
            level, full = level + 1, full >> TILE_HEIGHT
        return Tree.restore(size, head.frontier, partial)

    def _trim(self) -> None:
        """Keep the caches within their bounds, oldest out first."""
        state = self.state
        if len(state.accounts) > CACHED_ACCOUNTS:
            # What is not durable yet cannot be loaded, so it stays.
            needed = {entry.address for record in self._undurable() for entry in record.entries}
            needed |= {
                record.account.address for record in self._undurable() if record.account is not None
            }
            oldest = list(islice(state.accounts, CACHED_ACCOUNTS // 4))
            for address in oldest:
                if address not in needed:
                    del state.accounts[address], state.balances[address]
        # The newest keys are of records that are not durable, which the store does not know yet,
        # and those looked up for the batch that is being decided, which must not write them again.
        needed_keys = self._learned + sum(len(batch.records) for batch in self._flying)
        _drop_oldest(state.keys, max(CACHED_KEYS, 2 * needed_keys))
        _drop_oldest(state.parents, CACHED_PARENTS)


def _drop_oldest[K, V](cache: dict[K, V], bound: int) -> None:
    if len(cache) > bound:
        for key in list(islice(cache, len(cache) - bound * 3 // 4)):
            del cache[key]


def _span_us(command: Command) -> int:
    """How long after its first record the last one of a command stands."""
    return len(command.commands) if isinstance(command, AtomicBatch) else 0


def keys_of(commands: Iterable[Command]) -> list[str]:
    """The keys of commands; an atomic batch has one for all."""
    return [command.key for command in commands if command.key is not None]
