"""Listings of records by what they carry, through both doors; and the rows that they rest on."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import psycopg
import pytest
from tests.support.clock import VirtualClock
from tests.support.doors import (
    ANY_SKEW_US,
    USUAL_RECORDS,
    Wire,
    account,
    code_of,
    fund,
    head,
    in_process,
    open_accounts,
    open_usual,
    refused,
)

from tandem.ledger import api, commands
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.postgres import ROLE, PostgresStore, open_store
from tandem.platform.database import migrate

pytestmark = pytest.mark.anyio

_ODD = {"ä[x]=&": "%2F+ ]", "": "", "channel": "app"}


async def _post(ledger: api.Ledger, target: str, key: str, **fields: Any) -> int:
    entries = [api.debit("cash", 1), api.credit(target, 1)]
    return (await ledger.post_transaction(entries, idempotency_key=key, **fields)).position


async def _listed(ledger: api.Ledger, **chosen: Any) -> list[int]:
    found: list[int] = []
    page = await ledger.records(**chosen)
    found += [record.position for record in page.items]
    while page.next_cursor is not None:
        page = await ledger.records(cursor=page.next_cursor, **chosen)
        found += [record.position for record in page.items]
    return found


async def test_records_are_found_by_reference(ledger: api.Ledger) -> None:
    """Exactly that reference, whatever is in it; holds and reversals have one too."""
    for number, reference in enumerate(("order-1", "order-10", "ä&b=c]")):
        await _post(ledger, "wallets:a", f"post-{number}", reference=reference)
    hold = await ledger.hold(
        [api.debit("cash", 1), api.credit("wallets:b", 1)],
        reference="order-1",
        idempotency_key="hold",
    )
    first = USUAL_RECORDS + 1
    assert await _listed(ledger, reference="order-1", limit=1) == [first, hold.position]
    assert await _listed(ledger, reference="order-1", kind="hold") == [hold.position]
    assert await _listed(ledger, reference="ä&b=c]") == [first + 2]
    assert await _listed(ledger, reference="order") == []


async def test_records_are_found_by_metadata(ledger: api.Ledger) -> None:
    """All the pairs asked for and maybe others, whatever is in the texts."""
    app = await _post(ledger, "wallets:a", "1", metadata={"channel": "app", "city": "Turku"})
    odd = await _post(ledger, "wallets:b", "2", metadata=_ODD)
    await _post(ledger, "wallets:b", "3", metadata={"channel": "web", "app": "channel"})
    assert await _listed(ledger, metadata={"channel": "app"}, limit=1) == [app, odd]
    assert await _listed(ledger, metadata={"channel": "app"}, newest_first=True) == [odd, app]
    assert await _listed(ledger, metadata={"city": "Turku", "channel": "app"}) == [app]
    assert await _listed(ledger, metadata=_ODD) == [odd]
    assert await _listed(ledger, metadata={"": ""}, account="wallets:b") == [odd]
    assert await _listed(ledger, metadata={"city": "Turku"}, account="wallets:b") == []
    assert len(await _listed(ledger, metadata={})) == await head(ledger)


async def test_records_are_found_by_prefix(ledger: api.Ledger) -> None:
    """Whole segments; each record once, though it touch several accounts under the prefix."""
    await open_accounts(ledger, [account("wallets-x"), account("wallets:a:b"), account("wallets")])
    between = await fund(ledger, "wallets:a", 5)
    await fund(ledger, "wallets-x", 5)
    under = await fund(ledger, "wallets:a:b", 5)
    itself = await fund(ledger, "wallets", 5)
    both = await ledger.transfer(
        debit_account="wallets:a",
        credit_account="wallets:a:b",
        amount_minor=1,
        idempotency_key="both",
    )
    below = [record.position for record in (between, under, itself, both)]
    assert await _listed(ledger, account_prefix="wallets", limit=1) == below
    assert await _listed(ledger, account_prefix="wallets:a", newest_first=True) == [
        both.position, under.position, between.position,
    ]  # fmt: skip
    assert await _listed(ledger, account="cash", account_prefix="wallets:a:b") == [under.position]
    assert await _listed(ledger, account_prefix="wallet") == []


async def test_records_are_found_by_time(ledger: api.Ledger) -> None:
    """From a time on, that time included; until a time, that time not."""
    made = [await fund(ledger, "wallets:a", 1) for _ in range(4)]
    times = [record.recorded_at for record in made]
    positions = [record.position for record in made]
    assert await _listed(ledger, recorded_from=times[1]) == positions[1:]
    assert await _listed(ledger, recorded_from=times[1], recorded_until=times[3]) == positions[1:3]
    assert await _listed(ledger, recorded_from=times[1], recorded_until=times[1]) == []
    shortly = times[1] + timedelta(microseconds=1)
    assert await _listed(ledger, recorded_from=times[1], recorded_until=shortly) == positions[1:2]
    future = datetime(2091, 1, 1, tzinfo=UTC)
    assert await _listed(ledger, recorded_from=future) == []
    assert len(await _listed(ledger, recorded_until=future)) == await head(ledger)


async def test_a_cursor_belongs_to_its_filter(ledger: api.Ledger) -> None:
    """With another filter or in another order it is refused; the size of a page may change."""
    for number in range(3):
        await _post(ledger, "wallets:a", f"{number}", reference="r", metadata={"n": "1"})
    chosen: dict[str, Any] = {"account": "wallets:a", "reference": "r"}
    cursor = (await ledger.records(limit=1, **chosen)).next_cursor
    page = await ledger.records(limit=2, cursor=cursor, **chosen)
    assert [record.position for record in page.items] == [USUAL_RECORDS + 2, USUAL_RECORDS + 3]
    others: list[dict[str, Any]] = [
        {},
        {"account": "wallets:a"},
        {**chosen, "account": "wallets:b"},
        {**chosen, "newest_first": True},
        {**chosen, "metadata": {"n": "1"}},
        {**chosen, "recorded_from": datetime(2001, 1, 1, tzinfo=UTC)},
        {**chosen, "kind": "transaction"},
        {**chosen, "account_prefix": "wallets"},
    ]
    for other in others:
        refusal = await refused(ledger.records(cursor=cursor, **other))
        assert (refusal.code, refusal.field) == ("malformed", "cursor")


_ODD_FILTERS: list[tuple[str, Any]] = [
    ("account_prefix", "a:"), ("account_prefix", "%"), ("account", "a b"), ("kind", "holds"),
    ("reference", ""), ("reference", "x" * 129), ("metadata", {"k": "v" * 1_025}),
    ("metadata", {str(number): "v" for number in range(9)}),
    ("metadata", {str(number): "v" * 1_000 for number in range(5)}),
    ("recorded_from", datetime(2026, 1, 1)),  # noqa: DTZ001 - a time without an offset is the point
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), _ODD_FILTERS, ids=lambda value: f"{value!s:.20}")
async def test_odd_filters_are_refused(shared_ledger: api.Ledger, field: str, value: Any) -> None:
    """Each by name, through every door."""
    refusal = await refused(shared_ledger.records(**{field: value}))
    assert (refusal.code, refusal.field) == ("malformed", field)


async def test_times_in_disorder_are_refused(shared_ledger: api.Ledger) -> None:
    """A range that ends before it begins is a mistake."""
    later, earlier = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    refusal = await refused(shared_ledger.records(recorded_from=later, recorded_until=earlier))
    assert (refusal.code, refusal.field) == ("malformed", "recorded_until")


_UNKNOWN = [
    "reference_prefix=x", "metadata=channel", "metadata[=x", "metadata]=x", "Metadata[k]=v",
    "metadata[k=v", "effective=2026", "newest_first=perhaps", "recorded_from=1700000000",
    "metadata[k]=1&metadata[k]=1",
]  # fmt: skip


@pytest.mark.parametrize("query", _UNKNOWN)
async def test_an_unknown_filter_is_refused(shared_wire: Wire, query: str) -> None:
    """It is never ignored: that would list what was not asked for."""
    response = await shared_wire.get(f"/records?{query}")
    assert code_of(response) == "malformed", response.text


async def test_metadata_stands_in_brackets(wire: Wire) -> None:
    """Over HTTP a pair is `metadata[key]=value`, any number of times, percent-encoded or not."""
    position = await _post(wire.ledger, "wallets:a", "1", metadata={"a[b]": "1", "c": "d=e"})
    for query in (
        "metadata[c]=d=e",
        "metadata%5Bc%5D=d%3De&newest_first=true",
        "metadata[a[b]]=1&metadata[c]=d%3De&kind=transaction",
    ):
        listed = (await wire.get(f"/records?{query}")).json()["items"]
        assert [record["position"] for record in listed] == [position]
    assert (await wire.get("/records?metadata[c]=d&metadata[a[b]]=1")).json()["items"] == []


async def _annotated(ledger: LocalLedger) -> None:
    """Write annotated records in an append of a few, in one of many, and in an atomic batch."""
    await open_usual(ledger)
    await _post(ledger, "wallets:a", "few", reference="few", metadata=_ODD)
    many = [
        commands.transfer(
            debit_account="cash",
            credit_account="wallets:a",
            amount_minor=1,
            reference=f'r\\"{number}',
            metadata={"n": str(number % 3), "\n\u2028\U0001f600": "\\"},
            idempotency_key=f"many-{number}",
        )
        for number in range(300)
    ]
    await ledger.submit_batch(many)
    single = [command._replace(key=None) for command in many[:2]]
    await ledger.submit_batch(single, mode="atomic", idempotency_key="atomic")
    await fund(ledger, "wallets:a", 1)


async def test_plain_transfers_write_no_annotation(
    postgres_store: PostgresStore, clock: VirtualClock, ledger_database: str
) -> None:
    """Neither in small appends nor in big ones; annotated ones write a row for each term."""
    async with in_process(postgres_store, clock) as ledger:
        await _annotated(ledger)
        ledger_id = ledger._ledger_id

        def rows() -> int:
            with psycopg.connect(ledger_database) as connection:
                counted = connection.execute(
                    "SELECT count(*) FROM ledger.annotation WHERE ledger_id = %s", [ledger_id]
                ).fetchone()
            assert counted is not None
            return int(counted[0])

        before = await asyncio.to_thread(rows)
        assert before == 4 + 302 * 3
        plain = [
            commands.transfer(
                debit_account="cash",
                credit_account="wallets:a",
                amount_minor=1,
                idempotency_key=f"plain-{number}",
            )
            for number in range(300)
        ]
        await ledger.submit_batch(plain)
        await fund(ledger, "wallets:a", 1)
        assert await asyncio.to_thread(rows) == before


_TAMPERINGS = [
    ("DELETE FROM ledger.annotation WHERE ledger_id = {id} AND seq = 4", "positions 0 to 999"),
    ("UPDATE ledger.annotation SET seq = 5 WHERE ledger_id = {id} AND seq = 4", "annotations"),
    (
        "UPDATE ledger.annotation SET term = gen_random_uuid() WHERE ledger_id = {id} AND seq = 5",
        "annotations",
    ),
    (
        "INSERT INTO ledger.annotation SELECT {id}, gen_random_uuid(), 1",
        "annotations",
    ),
]


@pytest.mark.parametrize(
    ("statement", "named"), _TAMPERINGS, ids=["missing", "moved", "changed", "added"]
)
async def test_tampering_with_annotations_is_found(
    postgres_store: PostgresStore,
    clock: VirtualClock,
    ledger_database: str,
    statement: str,
    named: str,
) -> None:
    """Verification holds the rows to the records' text."""
    async with in_process(postgres_store, clock) as ledger:
        await _annotated(ledger)
        assert (await ledger.verify()).holds
        text = statement.replace("{id}", str(ledger._ledger_id)).encode()
        with psycopg.connect(ledger_database, autocommit=True) as connection:
            assert connection.execute(text).rowcount > 0
        found = await ledger.verify()
        assert not found.holds
        assert any(named in fault for fault in found.faults), found.faults


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.annotation SET seq = seq",
        "DELETE FROM ledger.annotation",
        "TRUNCATE ledger.annotation",
        "UPDATE ledger.account_annotation SET seq = seq",
        "DELETE FROM ledger.account_annotation",
        "TRUNCATE ledger.account_annotation",
    ],
)
async def test_annotations_can_only_be_added(ledger_database: str, statement: str) -> None:
    """The application's role is refused anything else by the database itself."""
    with psycopg.connect(ledger_database) as connection:
        connection.execute(f"SET LOCAL ROLE {ROLE}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.encode())
        connection.rollback()


async def test_the_migration_annotates_what_was_there(
    database_uri: str, clock: VirtualClock
) -> None:
    """A log from before has the rows that it would have been written with."""
    migrate(database_uri, "tandem.ledger.storage:migrations", "ledger")
    versions = "tandem.ledger.storage.migrations.versions"
    fill = [
        statement
        for name in ("0004_annotation", "0007_account_annotation")
        for statement in import_module(f"{versions}.{name}").FILL
    ]
    async with (
        open_store(database_uri, max_clock_skew_us=ANY_SKEW_US) as store,
        in_process(store, clock) as ledger,
    ):
        await _annotated(ledger)
        await open_accounts(ledger, [account("shop", metadata=_ODD)])
        await ledger.update_account("shop", metadata={"a": "b"}, idempotency_key="update")
        with psycopg.connect(database_uri, autocommit=True) as connection:
            connection.execute("DELETE FROM ledger.annotation")
            connection.execute("DELETE FROM ledger.account_annotation")
            assert len((await ledger.verify()).faults) == 2
            for statement in fill:
                connection.execute(statement)
        assert (await ledger.verify()).holds
        assert await _listed(ledger, reference='r\\"7') == [USUAL_RECORDS + 9]


async def _accounts(ledger: api.Ledger, **chosen: Any) -> list[str]:
    page = await ledger.accounts(**chosen)
    found = [one.address for one in page.items]
    while page.next_cursor is not None:
        page = await ledger.accounts(cursor=page.next_cursor, **chosen)
        found += [one.address for one in page.items]
    return found


async def test_accounts_are_found_as_they_stand(ledger: api.Ledger) -> None:
    """By asset, class, status, metadata and prefix, all at once or one at a time."""
    sek: dict[str, Any] = {"asset": "SEK/2", "account_class": "income"}
    await open_accounts(
        ledger,
        [
            account("shops:1", metadata=_ODD, **sek),
            account("shops:2", metadata={"channel": "app"}),
            account("shops", metadata={"channel": "web"}, **sek),
            account("shops-1", metadata=_ODD),
        ],
    )
    await ledger.update_account("shops:2", status="frozen", idempotency_key="freeze")
    assert await _accounts(ledger, asset="SEK/2", limit=1) == ["shops", "shops:1"]
    assert await _accounts(ledger, account_class="asset") == ["cash"]
    assert await _accounts(ledger, status="frozen") == ["shops:2"]
    assert await _accounts(ledger, metadata={"channel": "app"}, limit=1) == [
        "shops-1", "shops:1", "shops:2",
    ]  # fmt: skip
    assert await _accounts(ledger, metadata=_ODD, prefix="shops") == ["shops:1"]
    everything: dict[str, Any] = {"prefix": "shops", "status": "open", "metadata": {"": ""}, **sek}
    assert await _accounts(ledger, **everything) == ["shops:1"]
    await ledger.update_account("shops:1", metadata={"channel": "web"}, idempotency_key="move")
    assert await _accounts(ledger, **everything) == []
    assert await _accounts(ledger, metadata={"channel": "web"}, limit=1) == ["shops", "shops:1"]
    assert (await ledger.verify()).holds


async def test_a_cursor_of_accounts_belongs_to_its_filter(ledger: api.Ledger) -> None:
    """With another filter it is refused."""
    cursor = (await ledger.accounts(prefix="wallets", limit=1)).next_cursor
    others: list[dict[str, Any]] = [
        {}, {"prefix": "wallets", "status": "open"}, {"prefix": "wallets", "asset": "EUR/2"},
        {"prefix": "wallets", "metadata": {"a": "b"}},
    ]  # fmt: skip
    for other in others:
        refusal = await refused(ledger.accounts(cursor=cursor, **other))
        assert (refusal.code, refusal.field) == ("malformed", "cursor")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("asset", "EUR"),
        ("account_class", "cash"),
        ("status", "shut"),
        ("metadata", {str(number): "v" for number in range(9)}),
    ],
    ids=["asset", "class", "status", "metadata"],
)
async def test_odd_filters_of_accounts_are_refused(
    shared_ledger: api.Ledger, field: str, value: Any
) -> None:
    """Each by name, through every door."""
    refusal = await refused(shared_ledger.accounts(**{field: value}))
    assert (refusal.code, refusal.field) == ("malformed", field)


_OF_ACCOUNTS = [
    ("DELETE FROM ledger.account_annotation WHERE ledger_id = {id}", "account shop"),
    (
        "UPDATE ledger.account_annotation SET address = 'cash' WHERE ledger_id = {id}",
        "account cash: its annotations",
    ),
    (
        "INSERT INTO ledger.account_annotation SELECT {id}, gen_random_uuid(), 'cash', 1",
        "account cash: its annotations",
    ),
]


@pytest.mark.parametrize(("statement", "named"), _OF_ACCOUNTS, ids=["missing", "moved", "added"])
async def test_tampering_with_annotations_of_accounts_is_found(
    postgres_store: PostgresStore,
    clock: VirtualClock,
    ledger_database: str,
    statement: str,
    named: str,
) -> None:
    """Verification holds the rows to every metadata that the accounts ever had."""
    async with in_process(postgres_store, clock) as ledger:
        await open_usual(ledger)
        await open_accounts(ledger, [account("shop", metadata={"a": "1"})])
        await ledger.submit_batch(
            [
                commands.update_account("shop", metadata={"a": value}, idempotency_key=value)
                for value in ("2", "3", "1")
            ]
        )
        assert (await ledger.verify()).holds
        text = statement.replace("{id}", str(ledger._ledger_id)).encode()
        with psycopg.connect(ledger_database, autocommit=True) as connection:
            assert connection.execute(text).rowcount > 0
        found = await ledger.verify()
        assert any(named in fault for fault in found.faults), found.faults
