"""A log that somebody wrote anew, sound in its hashes: an audit says which rule it breaks."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import SIGNER, fund, in_process, open_usual

from tandem.ledger import api, commands
from tandem.ledger.audit.bundle import BUNDLE_VERSION, audit_bundle
from tandem.ledger.core.accounts import AccountStatus
from tandem.ledger.core.canonical import decode, encode
from tandem.ledger.core.kinds import Effect, RecordKind
from tandem.ledger.core.merkle import Tree, leaf_hash
from tandem.ledger.core.records import Record
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

type Forge = Callable[[dict[str, Record]], Any]


@pytest.fixture
async def books(clock: VirtualClock) -> dict[str, Record]:
    """Records by what they are, in order, of a ledger that did one of everything."""
    async with in_process(MemoryStore(clock), clock, "rules") as ledger:
        await open_usual(ledger)
        await fund(ledger, "wallets:a", 1_000, "fund")
        hold = await _hold(ledger, "hold", capture_limit_minor=110)
        capture = await ledger.capture(hold.position, amount_minor=40, idempotency_key="capture")
        await ledger.reverse(capture.position, amount_minor=7, idempotency_key="reverse")
        await ledger.release(hold.position, idempotency_key="release")
        await _hold(ledger, "expiring", expires_at=clock.after(5))
        await ledger.submit_batch(
            [
                commands.transfer(
                    debit_account="wallets:a", credit_account="wallets:b", amount_minor=one
                )
                for one in (1, 2)
            ],
            mode="atomic",
            idempotency_key="batch",
        )
        clock.move(10)
        await ledger.update_account("wallets:b", metadata={"a": "b"}, idempotency_key="update")
        await fund(ledger, "wallets:a", 5, "last")
        texts = await ledger.canonical_records(limit=1_000)
    records: dict[str, Record] = {}
    for record in map(decode, texts):
        name = record.key or str(record.kind)
        records[name if name not in records else f"{name} again"] = record
    return records


async def _hold(ledger: api.Ledger, key: str, **terms: Any) -> api.Record:
    entries = [api.debit("wallets:a", 100), api.credit("wallets:b", 100)]
    return await ledger.hold(entries, **terms, idempotency_key=key)


def _faults(records: dict[str, Record]) -> tuple[str, ...]:
    """Sign the records as they are, and audit them."""
    texts = [encode(record) for record in records.values()]
    tree = Tree()
    tree.extend([leaf_hash(text.encode()) for text in texts])
    note = SIGNER.sign("rules", len(texts), tree.root())
    header = json.dumps({"tandem_log": BUNDLE_VERSION, "checkpoint": note})
    bundle = "".join(f"{line}\n" for line in (header, *texts)).encode()
    return audit_bundle(io.BytesIO(bundle), str(SIGNER.verifier_key("rules"))).faults


def _amount(record: Record, amount_minor: int) -> Record:
    return record._replace(
        entries=tuple(one._replace(amount_minor=amount_minor) for one in record.entries)
    )


def _set(name: str, **fields: Any) -> Forge:
    return lambda books: books.update({name: books[name]._replace(**fields)})


def _account(name: str, **fields: Any) -> Forge:
    def forge(books: dict[str, Record]) -> None:
        account = books[name].account
        assert account is not None
        books[name] = books[name]._replace(account=replace(account, **fields))

    return forge


def _early(name: str, us: int) -> Forge:
    """Let a record's expiry be so much after its hold."""
    return lambda books: books.update(
        {name: books[name]._replace(expires_at_us=books[name].recorded_at_us + us)}
    )


def _effects(name: str, *effects: Effect) -> Forge:
    def forge(books: dict[str, Record]) -> None:
        pairs = zip(books[name].entries, effects, strict=True)
        entries = tuple(entry._replace(effect=effect) for entry, effect in pairs)
        books[name] = books[name]._replace(entries=entries)

    return forge


_FORGERIES: dict[str, tuple[Forge, str]] = {
    "more reversed than there was": (
        lambda books: books.update(reverse=_amount(books["reverse"], 41)),
        "position 6: more than its",
    ),
    "a hold reversed": (_set("reverse", parent=5), "position 5: it is a hold, and was reversed"),
    "itself reversed": (_set("reverse", parent=7), "position 7: it reverses nothing"),
    "the future reversed": (_set("reverse", parent=9), "position 7: it reverses nothing"),
    "no parent": (_set("capture", parent=None), "position 6: hold None is not open"),
    "a hold that is none": (_set("capture", parent=4), "position 6: hold 4 is not open"),
    "a hold that ended": (_set("expiry", parent=5), "hold 5 is not open"),
    "a parent of a transfer": (_set("last", parent=4), "a transaction has no parent"),
    "captured beyond the limit": (
        _set("hold", capture_limit_minor=39), "hold 5 is captured beyond its limit"),
    "a hold overdrawn": (
        lambda books: books.update(capture=_amount(books["capture"], 101)),
        "hold 5 is overdrawn",
    ),
    "captured too late": (_early("hold", 1), "position 6: hold 5 had expired"),
    "expired too early": (_early("expiring", 10**12), "hold 9 had not expired"),
    "expired without a time": (_set("expiring", expires_at_us=None), "hold 9 had not expired"),
    "an expiry that leaves something": (
        lambda books: books.update(expiry=_amount(books["expiry"], 99)),
        "hold 9 ends with something left",
    ),
    "a member too few": (_set("batch", commands=1), "every other record has one"),
    "a member too many": (_set("batch", commands=3), "among the members of an atomic batch"),
    "a batch without end": (_set("batch", commands=99), "the last atomic batch lacks"),
    "a member with a key": (_set("transaction", key="own"), "among the members"),
    "no key": (_set("last", key=None), "an expiry has no key, and every other record has one"),
    "an expiry with a key": (_set("expiry", key="own"), "an expiry has no key"),
    "a key twice": (_set("last", key="fund"), "position 15: its key is that of position 4"),
    "a transfer that holds": (
        _effects("last", Effect.HOLD_DEBIT, Effect.HOLD_CREDIT), "has no such entries"),
    "a release that posts": (
        _effects("release", Effect.POST_DEBIT, Effect.POST_CREDIT), "has no such entries"),
    "a transfer of nothing": (_set("last", entries=()), "has no such entries"),
    "an update that moves": (_set("update", kind=RecordKind.TRANSACTION), "no such entries"),
    "an amount of zero": (
        lambda books: books.update(last=_amount(books["last"], 0)),
        "running totals of cash jump",
    ),
    "a frozen account": (
        _account("open-cash", status=AccountStatus.FROZEN), "is frozen and moves"),
    "a closed account": (
        _account("open-cash", status=AccountStatus.CLOSED), "is closed and moves"),
    "another asset": (_account("update", asset="USD/2"), "what never changes of wallets:b"),
    "another number": (_account("update", number=9), "what never changes of wallets:b"),
    "a number that is another's": (_account("open-wallets:a", number=1), "opens wallets:a oddly"),
    "an account that moves before it is open": (
        _account("open-wallets:a", address="x"), "wallets:a was never opened"),
    "past a limit": (
        _account("open-cash", max_balance_minor=10), "passes its limit"),
}  # fmt: skip


async def test_the_sound_log_breaks_no_rule(books: dict[str, Record]) -> None:
    """It has one of everything that the forgeries need."""
    assert _faults(books) == ()


@pytest.mark.parametrize("what", _FORGERIES)
async def test_a_forged_log_is_found_out(books: dict[str, Record], what: str) -> None:
    """Its hashes are as good as any: the rule tells."""
    forge, said = _FORGERIES[what]
    forge(books)
    faults = _faults(books)
    assert any(said in fault for fault in faults), faults
