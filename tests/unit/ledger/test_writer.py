"""The writer: what it does when something is slow, full, broken or gives up."""

import anyio
import pytest
from anyio.lowlevel import checkpoint
from structlog.testing import capture_logs
from tests.support.doors import (
    Wire,
    available,
    head,
    refused,
)
from tests.unit.ledger.gates import PATIENCE_S, GatedStore, answers_of, quiet, spend, started

from tandem.ledger import api, commands, working, writer
from tandem.ledger.core.commands import Command, SingleCommand
from tandem.ledger.core.decide import Outcome, decide
from tandem.ledger.core.state import State
from tandem.ledger.local import LedgerFault, LocalLedger
from tandem.ledger.storage.port import Append

pytestmark = pytest.mark.anyio


async def test_what_queues_is_written_together(gated: LocalLedger, store: GatedStore) -> None:
    """While one append is on its way, everything else becomes the next one."""
    store.appends.clear()
    first = started(spend(gated, 1, "first"))
    await quiet()
    rest = [started(spend(gated, 1, f"rest-{number}")) for number in range(50)]
    await quiet()
    written: list[int] = []
    append = store.append

    async def counted(write: Append) -> None:
        written.append(len(write.records))
        await append(write)

    store.append = counted  # type: ignore[method-assign]  # only to look on
    store.appends.set()
    assert not any(isinstance(answer, Exception) for answer in await answers_of([first, *rest]))
    assert written == [50]


async def test_nobody_is_answered_before_it_is_durable(
    gated: LocalLedger, store: GatedStore
) -> None:
    """Neither the writer of a command, nor who repeats it, nor who is decided after it."""
    store.appends.clear()
    waiting = [started(spend(gated, 600, "spend")), started(spend(gated, 600, "spend"))]
    await quiet()
    waiting += [started(spend(gated, 600, "spend")), started(spend(gated, 600, "other"))]
    await quiet()
    assert not any(write.done() for write in waiting)
    store.appends.set()
    first, *again, other = await answers_of(waiting)
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
        writes.append(started(spend(gated, 1, f"key-{number}")))
        await quiet()
    # Two weigh a batch: two fly, or one, the next ones are being decided, three wait.
    codes = [write.exception().code for write in writes if write.done()]  # type: ignore[union-attr]  # done by refusal only
    assert codes
    assert set(codes) == {"overloaded"}
    assert 0 < gated._writer.queued <= 6
    store.appends.set()
    taken = [answer for answer in await answers_of(writes) if isinstance(answer, api.Record)]
    assert len(taken) + len(codes) == 10
    again = [await spend(gated, 1, f"key-{number}") for number in range(10)]
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
    writes = [started(spend(gated, 1, f"key-{number}")) for number in range(20)]
    await quiet()
    closing = started(gated._writer.close())
    await quiet()
    refusal = await refused(spend(gated, 1, "late"))
    assert refusal.code == "unavailable"
    assert not closing.done()
    store.appends.set()
    answers = await answers_of([*writes, closing])
    assert all(isinstance(answer, api.Record) for answer in answers[:-1])
    assert await available(gated, "wallets:b") == 20


async def test_a_drain_is_bounded(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the store never answers, closing ends all the same and nobody is left waiting."""
    monkeypatch.setattr(writer, "DRAIN_TIMEOUT_MS", 50)
    store.appends.clear()
    writes = [started(spend(gated, 1, f"key-{number}")) for number in range(3)]
    await quiet()
    with anyio.fail_after(PATIENCE_S):
        await gated._writer.close()
    for answer in await answers_of(writes):
        assert isinstance(answer, api.Refused)
        assert answer.code == "unavailable"


def _crashing(monkeypatch: pytest.MonkeyPatch, *keys: str) -> None:
    """Make the decision of commands with these keys crash."""

    def crash(state: State, command: Command, now_us: int) -> Outcome:
        if command.key in keys:
            raise ZeroDivisionError(command.key)
        return decide(state, command, now_us)

    _without_short_way(monkeypatch)
    monkeypatch.setattr(working, "decide", crash)


def _without_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every command be decided the general way."""
    monkeypatch.setattr(working, "write_transfers", lambda *_: 0)


async def test_a_crashing_command_is_isolated(
    gated: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of its batch goes through, and the key is free when the fault is mended."""
    before = await head(gated)
    with monkeypatch.context() as broken:
        _crashing(broken, "bad")
        answers = await answers_of(
            [started(spend(gated, 10, key)) for key in ("one", "bad", "two", "bad")]
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
    assert not (await spend(gated, 10, "bad")).replayed
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
        _without_short_way(fault)
        fault.setattr(working.Batch, "add", broken)
        writes = [started(spend(gated, 1, f"key-{number}")) for number in range(3)]
        for answer in await answers_of(writes):
            assert isinstance(answer, api.Refused)
            assert answer.code == "unavailable"
            assert "same key" in str(answer)
    for number in range(3):
        assert not (await spend(gated, 1, f"key-{number}")).replayed
    assert (await gated.verify()).holds


async def test_a_cancelled_callers_command_still_lands(
    gated: LocalLedger, store: GatedStore
) -> None:
    """Who gives up learns the outcome by its key; the others do not notice."""
    store.appends.clear()
    flying = started(spend(gated, 1, "flying"))
    await quiet()
    queued, other = started(spend(gated, 2, "queued")), started(spend(gated, 4, "other"))
    await quiet()
    flying.cancel()
    queued.cancel()
    await quiet()
    store.appends.set()
    (answer,) = await answers_of([other])
    assert isinstance(answer, api.Record)
    assert await available(gated, "wallets:b") == 7
    assert (await spend(gated, 1, "flying")).replayed
    assert (await spend(gated, 2, "queued")).replayed


async def test_a_store_that_fails_for_a_while(
    gated: LocalLedger, store: GatedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed append is settled and written again; callers see nothing of it."""
    monkeypatch.setattr(writer, "RETRY_PAUSE_MS", 0)
    for number in range(3):
        store.failures = 1
        answers = await answers_of(
            [started(spend(gated, 1, f"key-{number}-{other}")) for other in range(5)]
        )
        assert all(isinstance(answer, api.Record) for answer in answers)
    assert await available(gated, "wallets:b") == 15
    assert (await gated.verify()).holds


async def test_a_sweep_without_work_comes_to_rest(gated: LocalLedger) -> None:
    """Woken for nothing, the writer waits again instead of turning in circles."""
    gated._writer.sweep()
    turns = 0
    wait = gated._writer._wait

    async def counted() -> None:
        nonlocal turns
        turns += 1
        await wait()

    gated._writer._wait = counted  # type: ignore[method-assign]  # only to look on
    gated._writer.sweep()
    for _ in range(100):
        await checkpoint()
    assert turns <= 3
