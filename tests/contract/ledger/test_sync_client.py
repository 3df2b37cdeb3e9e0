"""The synchronous client: the same calls, from ordinary code in threads."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from tests.support.doors import LedgerServer, account, fresh_name

from tandem.ledger import api, commands
from tandem.ledger.client import LedgerClient, SyncLedgerClient
from tandem.ledger.local import LocalLedger

pytestmark = pytest.mark.anyio


def _day(url: str, token: str, name: str) -> list[str]:
    """Do a bit of everything; give what the log then holds."""
    with SyncLedgerClient(url, token, ledger=name) as ledger:
        ledger.create_ledger()
        ledger.submit_batch([account("cash", min_balance_minor=None), account("a"), account("b")])
        funded = ledger.transfer(
            debit_account="cash", credit_account="a", amount_minor=100, idempotency_key="fund"
        )
        entries = [api.debit("a", 40), api.credit("b", 40)]
        hold = ledger.hold(
            entries,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            idempotency_key="hold",
        )
        ledger.capture(hold.position, amount_minor=30, idempotency_key="capture")
        ledger.release(hold.position, idempotency_key="release")
        assert ledger.hold_state(hold.position).status == "released"
        ledger.reverse(funded.position, amount_minor=10, idempotency_key="reverse")
        ledger.update_account("b", status="frozen", idempotency_key="freeze")
        with pytest.raises(api.Refused) as caught:
            ledger.post_transaction(entries, idempotency_key="frozen")
        assert caught.value.code == "account_frozen"
        assert ledger.balance("a").available_minor == 60
        assert ledger.account("b").status == "frozen"
        assert ledger.trial_balance().balanced
        assert ledger.verify().holds
        assert ledger.accounts(limit=2).next_cursor is not None
        assert ledger.transaction(funded.position) == funded
        return [record.kind for record in ledger.records().items]


async def test_ordinary_code_can_use_it(ledger_server: LedgerServer) -> None:
    """From a thread without an event loop, and from several threads at once."""
    token = str(ledger_server.http.headers["Authorization"]).removeprefix("Bearer ")
    with ThreadPoolExecutor(3) as threads:
        loop = asyncio.get_running_loop()
        days = [
            loop.run_in_executor(threads, _day, ledger_server.url, token, fresh_name())
            for _ in range(3)
        ]
        kinds = await asyncio.gather(*days)
    assert kinds[0] == kinds[1] == kinds[2]
    assert kinds[0][-3:] == ["reversal", "update_account", "refusal"]


async def test_threads_can_share_one_client(ledger_server: LedgerServer) -> None:
    """Calls of several threads on one client go side by side; a key still has one effect."""
    token = str(ledger_server.http.headers["Authorization"]).removeprefix("Bearer ")

    def hammer() -> int:
        with SyncLedgerClient(ledger_server.url, token, ledger=fresh_name()) as ledger:
            ledger.create_ledger()
            ledger.submit_batch([account("cash", min_balance_minor=None), account("a")])

            def pay(number: int) -> api.Record:
                return ledger.transfer(
                    debit_account="cash",
                    credit_account="a",
                    amount_minor=1,
                    idempotency_key=f"key-{number % 20}",
                )

            with ThreadPoolExecutor(8) as threads:
                records = list(threads.map(pay, range(40)))
            assert sum(record.replayed for record in records) == 20
            return ledger.balance("a").available_minor

    assert await asyncio.to_thread(hammer) == 20


def test_all_ledgers_have_one_interface() -> None:
    """In process, over HTTP and synchronous: the same calls with the same arguments."""
    names = [name for name in dir(api.Ledger) if not name.startswith("_")]
    for name in names:
        if isinstance(getattr(api.Ledger, name), property):
            continue
        wanted = inspect.signature(getattr(api.Ledger, name)).parameters
        for kind in (LocalLedger, LedgerClient, SyncLedgerClient):
            found = inspect.signature(getattr(kind, name)).parameters
            assert [*found][: len(wanted)] == [*wanted], f"{kind.__name__}.{name}"
            for parameter in wanted.values():
                assert found[parameter.name].default == parameter.default
                assert found[parameter.name].kind == parameter.kind


async def test_the_interface_is_a_protocol_of_types(ledger_server: LedgerServer) -> None:
    """A function that takes a ledger takes any of them."""

    async def spend(ledger: api.Ledger) -> int:
        await ledger.submit_batch(
            [
                commands.open_account(
                    "x", asset="EUR/2", account_class="asset", idempotency_key="open"
                )
            ]
        )
        return (await ledger.account("x")).opened_position

    client = ledger_server.client(fresh_name())
    await client.create_ledger()
    assert await spend(client) == 1
