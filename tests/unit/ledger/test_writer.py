"""The writer: what it does with commands when something is slow, full, broken or late."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from structlog.testing import capture_logs
from tests.support.clock import VirtualClock
from tests.support.doors import (
    USUAL_RECORDS,
    Wire,
    account,
    available,
    fresh_name,
    fund,
    head,
    in_process,
    open_accounts,
    open_store,
    open_usual,
    refused,
)

from tandem.ledger import api, commands, working, writer
from tandem.ledger.core import expiry
from tandem.ledger.core.commands import Command, SingleCommand
from tandem.ledger.core.decide import Outcome, decide
from tandem.ledger.core.expiry import Due
from tandem.ledger.core.state import State
from tandem.ledger.local import LedgerFault, LocalLedger
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.port import Append, Loaded, StorageUnavailable

pytestmark = pytest.mark.anyio

_PATIENCE_S = 20.0


class GatedStore(MemoryStore):
    """A store whose writes and loads wait while their gates are closed."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock)
        self.appends, self.loads = asyncio.Event(), asyncio.Event()
        self.appends.set()
        self.loads.set()
        self.failures = 0
        self.windows = 0

    async def append(self, write: Append) -> None:
        """Write once the gate is open, unless a failure is due."""
        await self.appends.wait()
        if self.failures:
            self.failures -= 1
            raise StorageUnavailable("the disk is full")
        await super().append(write)

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Look at once, and answer once the gate is open."""
        loaded = await super().load(ledger_id, addresses, parents, assets)
        await self.loads.wait()
        return loaded

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Count how often a window is loaded."""
        self.windows += 1
        return await super().expiring(ledger_id, beyond, limit)


@pytest.fixture
def store(clock: VirtualClock) -> GatedStore:
    """A store with open gates."""
    return GatedStore(clock)


@pytest.fixture
async def gated(store: GatedStore, clock: VirtualClock) -> AsyncIterator[LocalLedger]:
    """A ledger over the gated store, with the usual accounts and 1,000 in `wallets:a`."""
    async with in_process(store, clock, "gated") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 1_000)
        await _quiet()
        yield ledger
        store.appends.set()
        store.loads.set()


async def _quiet() -> None:
    """Let every task run until all of them wait for something."""
    with anyio.fail_after(_PATIENCE_S):
        await anyio.wait_all_tasks_blocked()


def _spend(ledger: api.Ledger, amount_minor: int, key: str) -> Awaitable[api.Record]:
    return ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:b",
        amount_minor=amount_minor,
        idempotency_key=key,
    )


def _started(write: Awaitable[Any]) -> "asyncio.Future[Any]":
    return asyncio.ensure_future(write)


async def _answers(writes: Sequence["asyncio.Future[Any]"]) -> list[Any]:
    with anyio.fail_after(_PATIENCE_S):
        return await asyncio.gather(*writes, return_exceptions=True)


async def test_what_queues_is_written_together(gated: LocalLedger, store: GatedStore) -> None:
    """While one append is on its way, everything else becomes the next one."""
    store.appends.clear()
    first = _started(_spend(gated, 1, "first"))
    await _quiet()
    rest = [_started(_spend(gated, 1, f"rest-{number}")) for number in range(50)]
    await _quiet()
    written: list[int] = []
    append = store.append

    async def counted(write: Append) -> None:
        written.append(len(write.records))
        await append(write)

    store.append = counted  # type: ignore[method-assign]  # only to look on
    store.appends.set()
    assert not any(isinstance(answer, Exception) for answer in await _answers([first, *rest]))
    assert written == [50]


async def test_nobody_is_answered_before_it_is_durable(
    gated: LocalLedger, store: GatedStore
) -> None:
    """Neither the writer of a command, nor who repeats it, nor who is decided after it."""
    store.appends.clear()
    waiting = [_started(_spend(gated, 600, "spend")), _started(_spend(gated, 600, "spend"))]
    await _quiet()
    waiting += [_started(_spend(gated, 600, "spend")), _started(_spend(gated, 600, "other"))]
    await _quiet()
    assert not any(write.done() for write in waiting)
    store.appends.set()
    first, *again, other = await _answers(waiting)
    assert [record.position for record in again] == [first.position] * 2
    assert isinstance(other, api.Refused)
    assert other.refusal.available_minor == 400


async def test_a_full_queue_refuses(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds it full is refused `overloaded` and may come again with the same key."""
    monkeypatch.setattr(writer, "MAX_QUEUED_WEIGHT", 6)
    monkeypatch.setattr(writer, "MAX_WEIGHT_PER_APPEND", 4)
    store.appends.clear()
    writes = []
    for number in range(10):
        writes.append(_started(_spend(gated, 1, f"key-{number}")))
        await _quiet()
    # Two weigh a batch: two fly, or one, the next ones are being decided, three wait.
    codes = [write.exception().code for write in writes if write.done()]  # type: ignore[union-attr]  # done by refusal only
    assert codes
    assert set(codes) == {"overloaded"}
    assert 0 < gated._writer.queued <= 6
    store.appends.set()
    taken = [answer for answer in await _answers(writes) if isinstance(answer, api.Record)]
    assert len(taken) + len(codes) == 10
    again = [await _spend(gated, 1, f"key-{number}") for number in range(10)]
    assert sum(record.replayed for record in again) == len(taken)
    assert await available(gated, "wallets:b") == 10


async def test_one_command_may_be_larger_than_the_queue(
    gated: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty queue takes any batch, so nothing is refused for ever."""
    monkeypatch.setattr(writer, "MAX_QUEUED_WEIGHT", 3)
    monkeypatch.setattr(writer, "MAX_WEIGHT_PER_APPEND", 3)
    batch: list[SingleCommand] = [
        commands.transfer(
            debit_account="cash", credit_account="wallets:b", amount_minor=1, idempotency_key=str(n)
        )
        for n in range(20)
    ]
    receipts = await gated.submit_batch(batch)
    assert [receipt.refusal for receipt in receipts] == [None] * 20


async def test_closing_writes_what_is_queued(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came before is answered; who comes after is told that it is shutting down."""
    monkeypatch.setattr(writer, "MAX_WEIGHT_PER_APPEND", 4)
    store.appends.clear()
    writes = [_started(_spend(gated, 1, f"key-{number}")) for number in range(20)]
    await _quiet()
    closing = _started(gated._writer.close())
    await _quiet()
    refusal = await refused(_spend(gated, 1, "late"))
    assert refusal.code == "unavailable"
    assert not closing.done()
    store.appends.set()
    answers = await _answers([*writes, closing])
    assert all(isinstance(answer, api.Record) for answer in answers[:-1])
    assert await available(gated, "wallets:b") == 20


async def test_a_drain_is_bounded(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store never answers, closing ends all the same and nobody is left waiting."""
    monkeypatch.setattr(writer, "DRAIN_TIMEOUT_MS", 50)
    store.appends.clear()
    writes = [_started(_spend(gated, 1, f"key-{number}")) for number in range(3)]
    await _quiet()
    with anyio.fail_after(_PATIENCE_S):
        await gated._writer.close()
    for answer in await _answers(writes):
        assert isinstance(answer, api.Refused)
        assert answer.code == "unavailable"


def _crashing(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Make the decision of commands with these keys crash."""

    def crash(state: State, command: Command, now_us: int) -> Outcome:
        if command.key in keys:
            raise ZeroDivisionError(command.key)
        return decide(state, command, now_us)

    monkeypatch.setattr(working, "decide", crash)


async def test_a_crashing_command_is_isolated(
    gated: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of its batch goes through, and the key is free when the fault is mended."""
    before = await head(gated)
    with monkeypatch.context() as broken:
        _crashing(broken, "bad")
        answers = await _answers(
            [_started(_spend(gated, 10, key)) for key in ("one", "bad", "two", "bad")]
        )
        receipts = await gated.submit_batch(
            [
                commands.transfer(
                    debit_account="cash",
                    credit_account="wallets:b",
                    amount_minor=1,
                    idempotency_key=key,
                )
                for key in ("three", "bad", "four")
            ]
        )
    faults = [isinstance(answer, LedgerFault) for answer in answers]
    assert faults == [False, True, False, True]
    codes = [receipt.refusal.code if receipt.refusal else None for receipt in receipts]
    assert codes == [None, "unavailable", None]
    assert await head(gated) == before + 4
    assert not (await _spend(gated, 10, "bad")).replayed
    assert (await gated.verify()).holds


async def test_a_crash_is_an_internal_error_on_the_wire(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer is 500 without a word of it, and the server serves on."""
    body = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 1}
    with monkeypatch.context() as broken, capture_logs() as logs:
        _crashing(broken, "bad")
        answer = await wire.post("/transfers", body, Idempotency_Key="bad")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "ZeroDivision" not in answer.text
    assert [line["event"] for line in logs] == ["unhandled error"]
    answer = await wire.post("/transfers", body, Idempotency_Key="bad")
    assert answer.status_code == 201


async def test_a_fault_outside_the_decision_leaves_nobody_waiting(
    gated: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever breaks the writer itself, its callers are answered, and it starts over."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as fault:
        fault.setattr(working.Batch, "add_written", broken)
        writes = [_started(_spend(gated, 1, f"key-{number}")) for number in range(3)]
        for answer in await _answers(writes):
            assert isinstance(answer, api.Refused)
            assert answer.code == "unavailable"
            assert "same key" in str(answer)
    for number in range(3):
        assert not (await _spend(gated, 1, f"key-{number}")).replayed
    assert (await gated.verify()).holds


async def test_a_cancelled_callers_command_still_lands(
    gated: LocalLedger, store: GatedStore
) -> None:
    """Who gives up learns the outcome by its key; the others do not notice."""
    store.appends.clear()
    flying = _started(_spend(gated, 1, "flying"))
    await _quiet()
    queued, other = _started(_spend(gated, 2, "queued")), _started(_spend(gated, 4, "other"))
    await _quiet()
    flying.cancel()
    queued.cancel()
    await _quiet()
    store.appends.set()
    (answer,) = await _answers([other])
    assert isinstance(answer, api.Record)
    assert await available(gated, "wallets:b") == 7
    assert (await _spend(gated, 1, "flying")).replayed
    assert (await _spend(gated, 2, "queued")).replayed


async def test_a_store_that_fails_for_a_while(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed append is settled and written again; callers see nothing of it."""
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    for number in range(3):
        store.failures = 1
        answers = await _answers(
            [_started(_spend(gated, 1, f"key-{number}-{other}")) for other in range(5)]
        )
        assert all(isinstance(answer, api.Record) for answer in answers)
    assert await available(gated, "wallets:b") == 15
    assert (await gated.verify()).holds


async def test_a_hold_expires_while_its_capture_queues(
    gated: LocalLedger, store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the time of the decision that counts, not that of the call."""
    monkeypatch.setattr(writer, "MAX_WEIGHT_PER_APPEND", 2)
    hold = await gated.hold(
        [api.debit("wallets:a", 10), api.credit("wallets:b", 10)],
        expires_at=clock.after(60),
        idempotency_key="hold",
    )
    store.appends.clear()
    writes = [_started(_spend(gated, 1, f"key-{number}")) for number in range(2)]
    await _quiet()
    capture = _started(gated.capture(hold.position, idempotency_key="capture"))
    await _quiet()
    clock.move(60)
    store.appends.set()
    *_, answer = await _answers([*writes, capture])
    assert isinstance(answer, api.Refused)
    assert answer.refusal.hold_status == "expired"
    assert (await gated.verify()).holds


async def test_a_hold_expires_between_decision_and_append(
    gated: LocalLedger, store: GatedStore, clock: VirtualClock
) -> None:
    """A capture that was decided in time is captured, however long the append takes."""
    hold = await gated.hold(
        [api.debit("wallets:a", 10), api.credit("wallets:b", 10)],
        expires_at=clock.after(60),
        idempotency_key="hold",
    )
    store.appends.clear()
    capture = _started(gated.capture(hold.position, idempotency_key="capture"))
    await _quiet()
    clock.move(61)
    store.appends.set()
    (answer,) = await _answers([capture])
    assert isinstance(answer, api.Record)
    assert hold.expires_at is not None
    assert answer.recorded_at < hold.expires_at
    assert (await gated.hold_state(hold.position)).status == "captured"
    assert (await gated.records(kind="expiry")).items == ()


async def _many_holds(ledger: LocalLedger, clock: VirtualClock, times_s: Sequence[float]) -> None:
    receipts = await ledger.submit_batch(
        [
            commands.hold(
                [api.debit("wallets:a", 1), api.credit("wallets:b", 1)],
                expires_at=clock.after(time_s),
                idempotency_key=f"hold-{number}",
            )
            for number, time_s in enumerate(times_s)
        ]
    )
    assert all(receipt.refusal is None for receipt in receipts)


def _small_expiries(monkeypatch: pytest.MonkeyPatch, at_once: int, window: int) -> None:
    monkeypatch.setattr(working, "MAX_EXPIRIES_PER_APPEND", at_once)
    monkeypatch.setattr(working, "_LOADED_EXPIRIES", 2 * at_once)
    for module in (working, expiry):
        monkeypatch.setattr(module, "EXPIRY_WINDOW_HOLDS", window)


@pytest.mark.parametrize("window", [7, 10, 1_000])
@pytest.mark.parametrize("spread_us", [0, 1, 100_000])
async def test_a_mass_expiry(
    store: GatedStore,
    clock: VirtualClock,
    monkeypatch: pytest.MonkeyPatch,
    window: int,
    spread_us: int,
) -> None:
    """More holds than an append takes or a window has all expire, before what follows."""
    _small_expiries(monkeypatch, 3, window)
    times_s = [60 + number * spread_us / 1e6 for number in range(40)]
    random.Random(1).shuffle(times_s)
    async with in_process(store, clock, "mass") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 40)
        await _many_holds(ledger, clock, times_s)
        assert await available(ledger, "wallets:a") == 0
        clock.move(70)
        await _spend(ledger, 40, "all")
        assert (await ledger.balance("wallets:a")).pending_debits_minor == 0
        page = await ledger.records(kind="expiry")
        times = [record.expires_at for record in page.items]
        assert len(times) == 40
        assert times == sorted(times, key=str)
        assert (await ledger.verify()).holds


@pytest.mark.parametrize("window", [7, 1_000])
async def test_many_holds_are_about_to_expire(
    store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, window: int
) -> None:
    """Due within the second but not yet, they neither stop the writer nor expire early."""
    _small_expiries(monkeypatch, 3, window)
    async with in_process(store, clock, "soon") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 100)
        await _many_holds(ledger, clock, [0.5] * 30 + [0.7] * 30)
        with anyio.fail_after(_PATIENCE_S):
            await _spend(ledger, 40, "before")
        assert (await ledger.records(kind="expiry")).items == ()
        clock.move(0.5)
        await _spend(ledger, 30, "half")
        assert len((await ledger.records(kind="expiry")).items) == 30
        clock.move(0.2)
        await _spend(ledger, 30, "rest")
        assert len((await ledger.records(kind="expiry")).items) == 60
        assert (await ledger.verify()).holds


async def test_windows_are_loaded_once(
    store: GatedStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far expiries stay in the store, and a window is not loaded again for every command."""
    _small_expiries(monkeypatch, 3, 10)
    async with in_process(store, clock, "windows") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 100)
        await _many_holds(ledger, clock, [60.0 + number for number in range(50)])
    store.windows = 0
    async with in_process(store, clock, "windows") as ledger:
        for number in range(20):
            await fund(ledger, "wallets:b", 1, f"key-{number}")
        assert store.windows == 1
        for number in range(60):
            clock.move(2)
            await fund(ledger, "wallets:b", 1, f"later-{number}")
        assert store.windows <= 7
        assert len((await ledger.records(kind="expiry")).items) == 50
        assert (await ledger.verify()).holds


async def test_a_sweep_without_work_comes_to_rest(gated: LocalLedger) -> None:
    """Woken for nothing, the writer waits again instead of turning in circles."""
    gated._writer.sweep()
    turns = 0
    wait = gated._writer._wait

    async def counted(flights: set[Any]) -> None:
        nonlocal turns
        turns += 1
        await wait(flights)

    gated._writer._wait = counted  # type: ignore[method-assign]  # only to look on
    gated._writer.sweep()
    for _ in range(100):
        await checkpoint()
    assert turns <= 3


async def test_a_landing_is_not_lost_to_a_slow_load(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that lands while its state is being loaded is found, whichever comes first."""
    monkeypatch.setattr(working, "CACHED_PARENTS", 0)
    store.appends.clear()
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    hold = _started(gated.hold(entries, idempotency_key="hold"))
    await _quiet()
    store.loads.clear()
    position = await head(gated) + 1
    capture = _started(gated.capture(position, idempotency_key="capture"))
    await _quiet()
    store.appends.set()
    await _quiet()
    assert hold.done()
    store.loads.set()
    held, captured = await _answers([hold, capture])
    assert held.position == position
    assert isinstance(captured, api.Record)


def _random_commands(chance: random.Random, count: int) -> list[list[SingleCommand]]:
    """Groups of commands over few accounts and many holds, some with keys used before."""
    wallets = [f"wallets:{number}" for number in range(40)]
    groups: list[list[SingleCommand]] = []
    made: list[SingleCommand] = []
    for number in range(count):
        one, two = chance.sample(wallets, 2)
        amount = chance.randint(1, 50)
        key = f"key-{number}"
        entries = [api.debit(one, amount), api.credit(two, amount)]
        position = chance.randint(45, 45 + number)
        command: SingleCommand = chance.choice(
            [
                commands.post_transaction(entries, idempotency_key=key),
                commands.hold(entries, idempotency_key=key),
                commands.capture(position, amount_minor=amount, idempotency_key=key),
                commands.release(position, idempotency_key=key),
                commands.reverse(position, idempotency_key=key),
                commands.update_account(one, metadata={"n": key}, idempotency_key=key),
                chance.choice(made) if made else commands.release(1, idempotency_key=key),
            ]
        )
        made.append(command)
        if chance.random() < 0.4 or not groups:
            groups.append([])
        groups[-1].append(command)
    return groups


async def _bodies(clock: VirtualClock, groups: Sequence[Sequence[SingleCommand]]) -> list[str]:
    """Run groups of concurrent commands on a ledger of its own; give its log."""
    store, name = MemoryStore(clock), fresh_name()
    async with in_process(store, clock, name) as ledger:
        await open_usual(ledger)
        await open_accounts(ledger, [account(f"wallets:{n}") for n in range(40)])
        for n in range(40):
            await fund(ledger, f"wallets:{n}", 100, f"fund-{n}")
        for group in groups:
            await asyncio.gather(*(ledger.submit_batch([command]) for command in group))
        assert (await ledger.verify()).holds
    found = await store.head(name)
    assert found is not None
    return list(await store.bodies(found.ledger_id, 0, 10_000))


async def test_small_caches_change_nothing(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With next to nothing remembered, every record is byte for byte the same."""
    groups = _random_commands(random.Random(7), 400)
    roomy = await _bodies(clock, groups)
    monkeypatch.setattr(working, "CACHED_ACCOUNTS", 8)
    monkeypatch.setattr(working, "CACHED_PARENTS", 4)
    monkeypatch.setattr(working, "CACHED_KEYS", 30)
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    assert await _bodies(clock, groups) == roomy
    assert len(roomy) > 300


@pytest.mark.parametrize("followed_records", [0, 5, 20_000])
async def test_a_writer_follows_another(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch, followed_records: int
) -> None:
    """Over a few records it reads them, over many it starts anew; it is right either way."""
    monkeypatch.setattr(working, "MAX_FOLLOWED_RECORDS", followed_records)
    store = MemoryStore(clock)
    async with in_process(store, clock, "one") as one, in_process(store, clock, "one") as two:
        await open_usual(one)
        for turn in range(4):
            for number in range(10):
                await fund(one, "wallets:a", 10, f"one-{turn}-{number}")
            await two.update_account(
                "wallets:b", metadata={"t": str(turn)}, idempotency_key=f"u{turn}"
            )
            await _spend(two, 100, f"two-{turn}")
            assert (await fund(two, "wallets:a", 10, f"one-{turn}-3")).replayed
            assert (await refused(_spend(one, 1, f"late-{turn}"))).available_minor == 0
        assert await available(one, "wallets:b") == 400
        assert (await two.verify()).holds


async def test_a_strayed_clock_writes_nothing(
    ledger_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too far from the database's own clock it is unavailable; set right, the key still works."""
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    right = datetime.now(UTC)
    clock = VirtualClock(right)
    async with (
        open_store(ledger_database, max_clock_skew_us=30_000_000) as store,
        in_process(store, clock) as ledger,
    ):
        await open_usual(ledger)
        clock.move(86_400)
        refusal = await refused(fund(ledger, "wallets:a", 5, "key"))
        assert refusal.code == "unavailable"
        assert await head(ledger) == USUAL_RECORDS
        clock.move(-86_400)
        record = await fund(ledger, "wallets:a", 5, "key")
        assert (record.replayed, record.position) == (False, USUAL_RECORDS + 1)
        assert (await ledger.verify()).holds
