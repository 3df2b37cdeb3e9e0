"""Imports: every kind of line, keys, resuming, refusals; through every store and door."""

from collections.abc import Sequence

import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import head, in_process
from tests.support.exchange import import_bytes, json_lines

from tandem.ledger import api
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.exchange import importing
from tandem.ledger.exchange.importing import ImportStopped, Summary
from tandem.ledger.exchange.lines import HeaderError
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.memory import MemoryStore

pytestmark = pytest.mark.anyio

_CSV = b"""\xef\xbb\xbfkind,idempotency_key,address,asset,account_class,min_balance_minor,\
debit_account,credit_account,amount_minor,reference,metadata,metadata.note
open_account,,shop:till,EUR/2,asset,,,,,,,
,,shop:wallet,EUR/2,liability,0,,,,,,
transfer,pay-1,,,,,shop:till,shop:wallet,1250,order 1,"{""a"":""1""}","two
lines"
,,,EUR/2,,,shop:till,shop:wallet,750,,,
,,,,,,shop:wallet,shop:till,99999,,,
,,,,,,shop:wallet,shop:till,1.5,,,
"""


async def test_a_csv_opens_accounts_and_moves_money(ledger: api.Ledger) -> None:
    """Rows are what the API's names say; the refused ones are reported by line, all else goes."""
    summary, report = await import_bytes(ledger, _CSV, csv=True)
    assert summary == Summary(accepted=4, refused=2)
    assert [(bad.number, bad.code) for bad in report] == [
        (8, RefusalCode.AMOUNT_INVALID),
        (7, RefusalCode.INSUFFICIENT_FUNDS),
    ]
    assert report[1].text == ",,,,,,shop:wallet,shop:till,99999,,,"
    assert (await ledger.balance("shop:wallet")).balance_minor == 2_000
    page = await ledger.records(account="shop:wallet")
    paid, again = page.items
    assert (paid.idempotency_key, paid.reference) == ("pay-1", "order 1")
    assert paid.metadata == {"a": "1", "note": "two\nlines"}
    assert again.idempotency_key == "import:test:6"


async def test_json_lines_are_commands_of_a_batch(ledger: api.Ledger) -> None:
    """Transfers, transactions of many entries, openings and holds; `kind` may be left out."""
    entries = [
        {"account": "cash", "direction": "debit", "amount_minor": "30"},
        {"account": "wallets:a", "direction": "credit", "amount_minor": 10},
        {"account": "wallets:b", "direction": "credit", "amount_minor": 20},
    ]
    summary, report = await import_bytes(
        ledger,
        json_lines(
            [
                {"entries": entries, "idempotency_key": "three"},
                {"address": "new", "asset": "EUR/2", "account_class": "asset"},
                {"debit_account": "new", "credit_account": "wallets:a", "amount_minor": 5},
                {"kind": "hold", "entries": entries},
                {"kind": "party"},
                {"kind": "transfer", "debit_account": "new", "surprise": 1},
            ]
        )
        + b"\n[1]\n{\n"
        + b'{"amount_minor":'
        + b"9" * 5_000
        + b"}\n"
        + b"[" * 100_000,
    )
    assert summary == Summary(accepted=4, refused=6)
    assert {bad.code for bad in report} == {RefusalCode.MALFORMED}
    assert [bad.number for bad in report] == [5, 6, 8, 9, 10, 11]
    balance = await ledger.balance("wallets:a")
    assert (balance.balance_minor, balance.pending_credits_minor) == (15, 10)


async def test_running_an_import_again_changes_nothing(ledger: api.Ledger) -> None:
    """All that was accepted is a replay, what was refused stays so, the rest goes on."""
    await import_bytes(ledger, _CSV, csv=True)
    before = await head(ledger)
    summary, report = await import_bytes(ledger, _CSV, csv=True)
    assert summary == Summary(replayed=4, refused=2)
    assert len(report) == 2
    assert await head(ledger) == before
    more = _CSV + b",,,,,,shop:till,shop:wallet,1,,,\n"
    summary, _ = await import_bytes(ledger, more, csv=True)
    assert summary == Summary(accepted=1, replayed=4, refused=2)


async def test_a_line_without_a_key_needs_a_name(ledger: api.Ledger) -> None:
    """No key is made up that a second run would not find again."""
    line = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 1}
    content = json_lines([line, {**line, "idempotency_key": "k"}])
    summary, (bad,) = await import_bytes(ledger, content, name=None)
    assert bad.code is RefusalCode.IDEMPOTENCY_KEY_MISSING
    assert summary == Summary(accepted=1, refused=1)


async def test_later_lines_see_earlier_ones(
    ledger: api.Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over many small batches too, in the order of the file: each spends what came just before."""
    monkeypatch.setattr(importing, "MAX_COMMANDS_PER_BATCH", 3)
    there = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 7}
    back = {"debit_account": "wallets:a", "credit_account": "wallets:b", "amount_minor": 7}
    summary, report = await import_bytes(ledger, json_lines([there, back] * 20))
    assert report == []
    assert summary.accepted == 40


async def test_checking_writes_nothing(ledger: api.Ledger) -> None:
    """Without a ledger only the shape of the lines is judged."""
    before = await head(ledger)
    summary, (bad,) = await import_bytes(None, _CSV, csv=True)
    assert summary == Summary(accepted=5, refused=1)
    assert bad.code is RefusalCode.AMOUNT_INVALID
    assert await head(ledger) == before


@pytest.mark.parametrize("header", [b"", b"amount", b"asset,asset", b'"asset', b"metadata.a,x"])
async def test_an_unknown_column_stops_the_import(header: bytes) -> None:
    """It is never ignored; nothing is written."""
    with pytest.raises(HeaderError):
        await import_bytes(None, header + b"\n1,2\n", csv=True)


class _Breaking(LocalLedger):
    """A ledger that cannot be reached from its third batch on."""

    batches = 0

    async def submit_batch(
        self,
        commands: Sequence[SingleCommand],
        *,
        mode: api.BatchMode | str = api.BatchMode.INDEPENDENT,
        idempotency_key: str | None = None,
    ) -> list[api.Receipt]:
        """Submit, or be gone."""
        self.batches += 1
        if self.batches > 2:
            raise Refused(Refusal(RefusalCode.UNAVAILABLE, "gone"))
        return await super().submit_batch(commands, mode=mode, idempotency_key=idempotency_key)


async def test_an_import_that_broke_is_resumed(
    clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stops at the first batch that cannot be written; the second run does the rest."""
    monkeypatch.setattr(importing, "MAX_COMMANDS_PER_BATCH", 10)
    content = json_lines(
        [
            {"address": name, "asset": "EUR/2", "account_class": "asset"}
            for name in (f"a{number}" for number in range(45))
        ]
    )
    async with in_process(MemoryStore(clock), clock) as local:
        broken = _Breaking.__new__(_Breaking)
        broken.__dict__.update(local.__dict__)
        with pytest.raises(ImportStopped, match="again"):
            await import_bytes(broken, content)
        assert await head(local) == 20
        summary, _ = await import_bytes(local, content)
    assert summary == Summary(accepted=25, replayed=20)
