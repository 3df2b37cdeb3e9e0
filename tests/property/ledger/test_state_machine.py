"""Random commands against both stores and a reference: they agree on every outcome and balance."""

import asyncio
import itertools
import random
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.property.ledger import sights
from tests.property.ledger.deeds import Told
from tests.property.ledger.drawing import EUR, EVERYBODY, KINDS, opening, single_commands
from tests.property.ledger.reference import Reference
from tests.property.ledger.sights import as_line, outcome
from tests.support.clock import VirtualClock
from tests.support.doors import ANY_SKEW_US

from tandem.ledger.api import RecordPage
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.commands import AtomicBatch, Command, SingleCommand
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.port import LedgerStore
from tandem.ledger.storage.postgres import PostgresStore, open_store
from tandem.platform.database import migrate

EXAMPLES = 10
STEPS = 40
COMMANDS_AT_LEAST = 2_000
MINUTE_US = 60_000_000
LOOK_EVERY = 7
STEP_TIMEOUT_S = 20.0


class Stage:
    """One event loop, one database and its pools, for every run of the machine."""

    def __init__(self, runner: asyncio.Runner, postgres: PostgresStore) -> None:
        self.runner = runner
        self.postgres = postgres
        self.names = (f"run-{number}" for number in itertools.count(1))
        self.commands = 0


@pytest.fixture
def stage(database_uri: str) -> Iterator[Stage]:
    """A stage on a fresh database, whose store takes any clock."""
    migrate(database_uri, "tandem.ledger.storage:migrations", "ledger")
    with asyncio.Runner() as runner:
        opening_store = open_store(database_uri, max_clock_skew_us=ANY_SKEW_US)
        store = runner.run(opening_store.__aenter__())
        try:
            yield Stage(runner, store)
        finally:
            runner.run(opening_store.__aexit__(None, None, None))


class LedgerMachine(RuleBasedStateMachine):
    """Commands one after another; after each the two logs are the same, byte for byte."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage
        self.name = next(stage.names)
        self.clock = VirtualClock()
        self.reference = Reference()
        self.stores: list[LedgerStore] = [stage.postgres, MemoryStore(self.clock)]
        self.services: list[LedgerService] = []
        self.ledgers: list[LocalLedger] = []
        self.compared = 0
        self.steps = 0
        self.sent: list[SingleCommand] = []
        self.dice = random.Random(1)

    # -- running -------------------------------------------------------------------------------

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step's work on the stage's event loop, within a bound."""
        return self.stage.runner.run(asyncio.wait_for(work, STEP_TIMEOUT_S))

    async def _start(self) -> None:
        self.services = [LedgerService(store, self.clock) for store in self.stores]
        self.ledgers = [await service.create_ledger(self.name) for service in self.services]

    async def _rest(self) -> None:
        """Let both writers come to rest, so that they look at the clock only while it stands."""
        for ledger in self.ledgers:
            writer = ledger._writer
            assert writer._task is not None
            while not writer._fresh or writer._queue or writer._flight is not None:
                if writer._task.done():
                    writer._task.result()
                await asyncio.sleep(0)
            await asyncio.sleep(0)

    async def _each(self, ask: Any) -> list[Any]:
        answers = [await ask(ledger) for ledger in self.ledgers]
        await self._rest()
        return answers

    def move_clock(self, minutes: int) -> None:
        """Move the one clock of both ledgers and of the reference."""
        self.clock.move(minutes * 60)
        self.reference.clock_us = self.clock.now_us

    # -- submitting ----------------------------------------------------------------------------

    def submit(self, command: Command) -> None:
        """Submit one command to all three."""
        self.stage.commands += len(command.commands) if isinstance(command, AtomicBatch) else 1
        told = self.reference.submit(command)
        one, other = self.run(self._each(lambda ledger: outcome(ledger, command)))
        assert one == other, command
        position = None if told.code else told.position
        assert Told(*one[:3]) == told._replace(position=position), command
        if not isinstance(command, AtomicBatch):
            self.sent.append(command)
        self.after_step()

    def submit_independent(self, batch: list[SingleCommand]) -> None:
        """Submit an independent batch to all three."""
        self.stage.commands += len(batch)
        told = [self.reference.submit(command) for command in batch]
        one, other = self.run(self._each(lambda ledger: ledger.submit_batch(batch)))
        assert one == other, batch
        codes = [None if r.refusal is None else r.refusal.code.value for r in one]
        seen = [Told(r.position, code, r.replayed) for r, code in zip(one, codes, strict=True)]
        assert seen == told, batch
        self.sent.extend(batch)
        self.after_step()

    def after_step(self) -> None:
        """Compare what is new in the logs, and every few steps all that can be read."""
        self.run(self._compare_logs())
        self.steps += 1
        if self.steps % LOOK_EVERY == 0:
            self.run(self._look())

    async def _compare_logs(self) -> None:
        one, other = [
            await store.stored_records(ledger._ledger_id, self.compared, 10_000)
            for store, ledger in zip(self.stores, self.ledgers, strict=True)
        ]
        assert one == other
        expected = [
            # Without running totals, as the log's lines are taken.
            line._replace(postings=tuple(sorted(posting[:4] for posting in line.postings)))  # type: ignore[misc]  # compared, not kept
            for line in self.reference.lines[self.compared :]
        ]
        assert [as_line(decode(record.body)) for record in one] == expected
        self.compared = self.reference.position

    # -- looking -------------------------------------------------------------------------------

    async def _look(self) -> None:
        for address in self.dice.sample(EVERYBODY, 4):
            for position in (None, self.dice.randint(1, self.compared), self.compared + 1):
                await self._look_at_balance(address, position, None)
            await self._look_at_balance(address, None, self._some_time_us())
        await self._look_at_holds()
        for position in (self.compared, self.dice.randint(1, self.compared)):
            expected = sights.trial_balance(self.reference, position)
            for ledger in self.ledgers:
                shown = await sights.shown_trial_balance(ledger, position)
                assert shown == expected, (shown, expected)
        await self._look_at_listings()
        await self._rest()
        self.check_books()

    def _some_time_us(self) -> int:
        line = self.dice.choice(self.reference.lines)
        past_us = min(line.time_us + self.dice.randint(-2, 2), self.clock.now_us)
        # Now and then the present, which closes it, or the future, which is refused.
        other_us = self.clock.now_us + self.dice.choice([-MINUTE_US, 0, MINUTE_US])
        return past_us if self.dice.random() < 0.95 else other_us

    async def _look_at_balance(
        self, address: str, position: int | None, time_us: int | None
    ) -> None:
        expected = sights.balance(self.reference, address, position, time_us)
        for ledger in self.ledgers:
            shown = await sights.shown_balance(ledger, address, position, time_us)
            assert shown == expected, (shown, expected, ledger.name, position, time_us)

    async def _look_at_holds(self) -> None:
        holds = [position for position, deed in self.reference.state.deeds.items() if deed.status]
        chosen = self.dice.sample(holds, min(6, len(holds)))
        for position in [*chosen, 1, self.compared + 1]:
            expected = sights.hold(self.reference, position)
            for ledger in self.ledgers:
                shown = await sights.shown_hold(ledger, position)
                assert shown == expected, (shown, expected, ledger.name, position)

    async def _look_at_listings(self) -> None:
        chosen = {
            "account": self.dice.choice([None, *EUR]),
            "kind": self.dice.choice([None, "hold", "transaction", "refusal", "expiry"]),
            "limit": self.dice.randint(9, 40),
        }
        walks = [await self._walk(ledger, chosen) for ledger in self.ledgers]
        assert walks[0] == walks[1]
        expected = [
            line.position
            for line in self.reference.lines
            if chosen["kind"] in (None, line.kind)
            and chosen["account"] in (None, *(posting.address for posting in line.postings))
        ]
        assert [record.position for page in walks[0] for record in page.items] == expected
        accounts = [await ledger.accounts(prefix="wallets") for ledger in self.ledgers]
        assert accounts[0] == accounts[1]

    @staticmethod
    async def _walk(ledger: LocalLedger, chosen: dict[str, Any]) -> list[RecordPage]:
        pages = [await ledger.records(**chosen)]
        while pages[-1].next_cursor is not None:
            pages.append(await ledger.records(**chosen, cursor=pages[-1].next_cursor))
        return pages

    def check_books(self) -> None:
        """Conservation and hold lifecycle, on the reference itself."""
        totals = sights.sums(self.reference.lines)
        for asset in {book.asset for book in self.reference.state.books.values()}:
            own = {
                address
                for address, book in self.reference.state.books.items()
                if book.asset == asset
            }
            for kind in ("posted", "pending"):
                net = sum(
                    amount if side[2] == "debit" else -amount
                    for side, amount in totals.items()
                    if side[0] in own and side[1] == kind
                )
                assert net == 0, (asset, kind)
        for deed in self.reference.state.deeds.values():
            assert min(deed.left.values(), default=0) >= 0
            assert deed.captured <= deed.limit
            assert deed.status in (None, "open") or not any(deed.left.values())

    # -- rules ---------------------------------------------------------------------------------

    @initialize()
    def open_the_books(self) -> None:
        """Open accounts, fund the wallets, place a hold."""
        self.move_clock(0)
        self.run(self._start())
        self.run(self._rest())
        self.submit_independent(opening())
        self.stage.commands -= len(self.sent)

    def draw(self, data: st.DataObject, kind: str, key: str | None) -> SingleCommand:
        """Draw a command that the reference makes likely to matter."""
        return data.draw(single_commands(self.reference, key, kind), label=kind)

    def fresh_key(self) -> str:
        """A key that no earlier step used."""
        return f"key-{self.steps}"

    @rule(data=st.data(), kind=st.sampled_from(KINDS), minutes=st.sampled_from([0, 0, 0, 1]))
    def submit_one(self, data: st.DataObject, kind: str, minutes: int) -> None:
        """Submit a command of any kind."""
        self.move_clock(minutes)
        self.submit(self.draw(data, kind, self.fresh_key()))

    @rule(data=st.data(), kind=st.sampled_from(["transfer", "hold", "capture", "reverse"]))
    def submit_money(self, data: st.DataObject, kind: str) -> None:
        """Submit one of the commands that matter most."""
        self.submit(self.draw(data, kind, self.fresh_key()))

    @rule(data=st.data(), minutes=st.sampled_from([-600, -3, -1, 1, 2, 5, 90, 1_000]))
    def submit_after_a_clock_step(self, data: st.DataObject, minutes: int) -> None:
        """Step the clock forward or back, then submit without waiting for any sweep."""
        self.move_clock(minutes)
        kind = data.draw(st.sampled_from(["capture", "hold", "transfer", "release"]))
        self.submit(self.draw(data, kind, self.fresh_key()))

    @rule(data=st.data(), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    def submit_atomic(self, data: st.DataObject, kinds: list[str]) -> None:
        """Submit an atomic batch."""
        batch = tuple(self.draw(data, kind, None) for kind in kinds)
        self.submit(AtomicBatch(self.fresh_key(), batch))

    @rule(data=st.data(), kinds=st.lists(st.sampled_from(KINDS), min_size=4, max_size=14))
    def submit_batch(self, data: st.DataObject, kinds: list[str]) -> None:
        """Submit an independent batch; some of its keys come twice, or came before."""
        batch: list[SingleCommand] = []
        for number, kind in enumerate(kinds):
            key = f"{self.fresh_key()}-{number}"
            again = data.draw(st.integers(1, 5)) == 1
            if again:
                earlier = data.draw(st.sampled_from([*self.sent[-20:], *batch]))
                batch.append(earlier)
            else:
                batch.append(self.draw(data, kind, key))
        self.submit_independent(batch)

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send an earlier command again with its key."""
        self.submit(data.draw(st.sampled_from(self.sent)))

    @rule(data=st.data(), kind=st.sampled_from(KINDS))
    def reuse_a_key(self, data: st.DataObject, kind: str) -> None:
        """Send another command with a key that was used."""
        key = data.draw(st.sampled_from(sorted(self.reference.keys)))
        self.submit(self.draw(data, kind, key))

    @precondition(lambda self: self.reference.state.deeds)
    @rule(minutes=st.sampled_from([1, 2, 10]))
    def sweep(self, minutes: int) -> None:
        """Look at holds after a clock step that nobody wrote down, then have them swept."""
        self.move_clock(minutes)
        self.run(self._look())
        self.reference.expire_due()
        self.run(self._sweep())
        self.after_step()

    async def _sweep(self) -> None:
        for store, ledger in zip(self.stores, self.ledgers, strict=True):
            ledger._writer.sweep()
            while True:
                head = await store.head(self.name)
                assert head is not None
                if head.position >= self.reference.position:
                    break
                await asyncio.sleep(0)
        await self._rest()

    @rule()
    def restart(self) -> None:
        """Stop both writers and start others that know nothing."""
        self.reference.expire_due()
        self.run(self._stop())
        self.run(self._start())
        self.run(self._rest())
        self.after_step()

    async def _stop(self) -> None:
        for service in self.services:
            await service.close()

    def teardown(self) -> None:
        """Recompute every invariant on both."""
        if not self.ledgers:
            return
        try:
            one, other = self.run(self._each(lambda ledger: ledger.verify()))
            assert one.holds, one.faults
            assert one == other
            assert one.records == self.reference.position
        finally:
            self.run(self._stop())


def test_both_stores_and_the_reference_agree(stage: Stage) -> None:
    """Over two thousand random commands each outcome, record and balance is the same in all."""
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    # How many commands a step has is random too.
    while stage.commands < COMMANDS_AT_LEAST:
        run_state_machine_as_test(lambda: LedgerMachine(stage), settings=chosen)  # type: ignore[arg-type]  # any maker of a machine
