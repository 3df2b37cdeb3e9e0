"""Batches: atomic (all or nothing) and independent (a result each), up to named limits."""

from typing import Any

import pytest
from tests.support.doors import Wire, available, code_of, fund, head, refused

from tandem.ledger import api, commands
from tandem.ledger.core.commands import SingleCommand

pytestmark = pytest.mark.anyio


def _move(amount_minor: int, key: str | None = None, payer: str = "cash") -> SingleCommand:
    payee = "wallets:a" if payer != "wallets:a" else "wallets:b"
    return commands.transfer(
        debit_account=payer, credit_account=payee, amount_minor=amount_minor, idempotency_key=key
    )


def _codes(receipts: list[api.Receipt]) -> list[str | None]:
    return [receipt.refusal.code if receipt.refusal else None for receipt in receipts]


async def test_independent_commands_get_a_result_each(ledger: api.Ledger) -> None:
    """One that is refused does not stop the others, and later ones see earlier ones."""
    receipts = await ledger.submit_batch(
        [_move(100, "1"), _move(150, "2", "wallets:a"), _move(70, "3", "wallets:a")]
    )
    assert _codes(receipts) == [None, "insufficient_funds", None]
    assert receipts[1].refusal is not None
    assert receipts[1].refusal.available_minor == 100
    positions = [receipt.position for receipt in receipts]
    assert positions == list(range(await head(ledger) - 2, await head(ledger) + 1))
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (30, 70)


async def test_atomic_commands_take_effect_together(ledger: api.Ledger) -> None:
    """Accounts, transfers and holds of one batch see each other; its own record comes first."""
    before = await head(ledger)
    receipts = await ledger.submit_batch(
        [
            commands.open_account("new", asset="SEK/2", account_class="asset"),
            commands.open_account("other", asset="SEK/2", account_class="liability"),
            commands.transfer(debit_account="new", credit_account="other", amount_minor=5),
            commands.update_account("other", status="frozen"),
        ],
        mode="atomic",
        idempotency_key="batch",
    )
    assert [receipt.position for receipt in receipts] == [before + n for n in (2, 3, 4, 5)]
    record = await ledger.transaction(before + 1)
    assert (record.kind, record.idempotency_key) == ("batch", "batch")
    assert (await ledger.account("other")).status == "frozen"
    assert (await ledger.transaction(before + 4)).idempotency_key is None
    assert (await ledger.verify()).holds


async def test_a_refused_command_refuses_the_atomic_batch(ledger: api.Ledger) -> None:
    """Nothing of the others stays; the refusal names the command and is what the key stands for."""
    before = await head(ledger)
    batch = [_move(100), _move(101, payer="wallets:a"), _move(1)]
    refusal = await refused(ledger.submit_batch(batch, mode="atomic", idempotency_key="batch"))
    assert (refusal.code, refusal.field) == ("insufficient_funds", "commands[1].account")
    assert refusal.available_minor == 100
    assert await available(ledger, "wallets:a") == 0
    assert await head(ledger) == before + 1
    assert (await ledger.transaction(before + 1)).kind == "refusal"
    await fund(ledger, "wallets:a", 500)
    with pytest.raises(api.Refused) as caught:
        await ledger.submit_batch(batch, mode="atomic", idempotency_key="batch")
    assert (caught.value.refusal, caught.value.replayed) == (refusal, True)


async def test_an_atomic_batch_is_answered_again(ledger: api.Ledger) -> None:
    """The same key gives the same positions, marked; another body is refused."""
    batch = [_move(100), _move(60, payer="wallets:a")]
    first = await ledger.submit_batch(batch, mode="atomic", idempotency_key="batch")
    again = await ledger.submit_batch(batch, mode="atomic", idempotency_key="batch")
    assert [receipt.position for receipt in again] == [receipt.position for receipt in first]
    assert [receipt.recorded_at for receipt in again] == [receipt.recorded_at for receipt in first]
    assert [receipt.replayed for receipt in first + again] == [False, False, True, True]
    refusal = await refused(ledger.submit_batch(batch[:1], mode="atomic", idempotency_key="batch"))
    assert refusal.code == "idempotency_key_reused"
    assert await available(ledger, "wallets:a") == 40


async def test_holds_of_an_atomic_batch_are_holds(ledger: api.Ledger) -> None:
    """What a batch reserved can be captured later, and reversed."""
    receipts = await ledger.submit_batch(
        [
            _move(100),
            commands.hold([api.debit("wallets:a", 100), api.credit("wallets:b", 100)]),
        ],
        mode="atomic",
        idempotency_key="batch",
    )
    position = receipts[1].position
    assert position is not None
    capture = await ledger.capture(position, amount_minor=60, final=True, idempotency_key="c")
    await ledger.reverse(capture.position, idempotency_key="r")
    assert (await available(ledger, "wallets:a"), await available(ledger, "wallets:b")) == (100, 0)


async def test_an_atomic_batch_has_one_key(ledger: api.Ledger) -> None:
    """The batch has it and its commands have none."""
    before = await head(ledger)
    keyless = ledger.submit_batch([_move(1)], mode="atomic")
    assert (await refused(keyless)).code == "idempotency_key_missing"
    doubled = ledger.submit_batch([_move(1, "own")], mode="atomic", idempotency_key="batch")
    assert (await refused(doubled)).code == "malformed"
    assert await head(ledger) == before


async def test_an_independent_command_needs_its_key(ledger: api.Ledger) -> None:
    """One without is refused in its place; the others go through."""
    receipts = await ledger.submit_batch([_move(1, "1"), _move(2), _move(4, "3")])
    assert _codes(receipts) == [None, "idempotency_key_missing", None]
    assert await available(ledger, "wallets:a") == 5


@pytest.mark.parametrize("mode", ["independent", "atomic"])
async def test_a_batch_is_not_empty(ledger: api.Ledger, mode: str) -> None:
    """No command is no batch."""
    refusal = await refused(ledger.submit_batch([], mode=mode, idempotency_key="k"))
    assert (refusal.code, refusal.field) == ("malformed", "commands")


async def test_a_mode_is_one_of_two(ledger: api.Ledger) -> None:
    """Another word is malformed."""
    refusal = await refused(ledger.submit_batch([_move(1, "1")], mode="both"))
    assert (refusal.code, refusal.field) == ("malformed", "mode")


async def test_batches_are_bounded(ledger: api.Ledger) -> None:
    """A thousand atomic commands pass, more are too large, as are ten thousand and one."""
    receipts = await ledger.submit_batch([_move(1)] * 1_000, mode="atomic", idempotency_key="most")
    assert len(receipts) == 1_000
    assert await available(ledger, "wallets:a") == 1_000
    before = await head(ledger)
    over = ledger.submit_batch([_move(1)] * 1_001, mode="atomic", idempotency_key="over")
    assert (await refused(over)).code == "too_large"
    assert (await refused(ledger.submit_batch([_move(1, "k")] * 10_001))).code == "too_large"
    wide = commands.post_transaction(
        [api.debit("cash", 1), api.credit("wallets:a", 1)] * 500, idempotency_key="wide"
    )
    assert (await refused(ledger.submit_batch([wide] * 41))).code == "too_large"
    assert await head(ledger) == before


async def test_every_command_can_be_in_a_batch(ledger: api.Ledger) -> None:
    """What each kind does alone it does here, by the same words."""
    funded = await fund(ledger, "wallets:a", 100)
    entries = [api.debit("wallets:a", 10), api.credit("wallets:b", 10)]
    hold = await ledger.hold(entries, idempotency_key="h")
    whole: dict[str, Any] = {"metadata": {"n": "1"}}
    receipts = await ledger.submit_batch(
        [
            commands.open_account(
                "new", asset="EUR/2", account_class="income", idempotency_key="1", **whole
            ),
            commands.update_account(
                "new", min_balance_minor="none", max_balance_minor=5, idempotency_key="2", **whole
            ),
            commands.post_transaction(entries, reference="r", idempotency_key="3", **whole),
            commands.hold(entries, capture_limit_minor=11, idempotency_key="4", **whole),
            commands.capture(
                hold.position, amount_minor=4, final=True, idempotency_key="5", **whole
            ),
            commands.release(hold.position, idempotency_key="6", **whole),
            commands.reverse(
                funded.position, amount_minor=5, reference="r", idempotency_key="7", **whole
            ),
            commands.reverse(funded.position, entries=entries, idempotency_key="8"),
        ]
    )
    assert _codes(receipts) == [None] * 5 + ["hold_not_open", None, "reversal_exceeds_original"]
    assert (await ledger.account("new")).max_balance_minor == 5
    assert await available(ledger, "wallets:a") == 100 - 10 - 10 - 4 - 5
    assert (await ledger.verify()).holds


async def test_a_malformed_command_on_the_wire(wire: Wire) -> None:
    """In an independent batch it is refused in its place, in an atomic one it refuses all."""
    good = {
        "kind": "transfer",
        "debit_account": "cash",
        "credit_account": "wallets:a",
        "amount_minor": 5,
    }
    bad: list[dict[str, Any]] = [
        {**good, "kind": "gift"},
        {**good, "kind": None},
        {**good, "kind": ["transfer"]},
        {key: value for key, value in good.items() if key != "kind"},
        {**good, "colour": "red"},
        {**good, "amount_minor": 0},
        {**good, "idempotency_key": "with blank"},
        {**good, "idempotency_key": 5},
        {"kind": "hold", "entries": [], "expires_at": "soon"},
        {"kind": "hold", "entries": [good]},
        {"kind": "capture", "hold": "1"},
        {"kind": "capture", "hold": 1, "final": "yes"},
    ]
    keyed = [{"idempotency_key": f"bad-{n}", **command} for n, command in enumerate(bad)]
    body = {"commands": [*keyed, {**good, "idempotency_key": "good"}]}
    answer = await wire.post("/batches", body)
    assert answer.status_code == 200
    receipts = answer.json()["receipts"]
    codes = [receipt.get("refusal", {}).get("code") for receipt in receipts]
    assert codes == ["malformed"] * 5 + ["amount_invalid"] + ["malformed"] * 6 + [None]
    assert await available(wire.ledger, "wallets:a") == 5
    before = await head(wire.ledger)
    for command in bad:
        answer = await wire.post("/batches", {"mode": "atomic", "commands": [good, command]})
        assert code_of(answer) in ("malformed", "amount_invalid")
        assert answer.json()["field"].startswith("commands[1]")
    assert await head(wire.ledger) == before
