"""Every filter of the listings against a filter over the whole log, on both stores."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.clock import VirtualClock
from tests.support.doors import ANY_SKEW_US, STORES, account, in_process

from tandem.ledger import api, commands
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.local import LocalLedger
from tandem.ledger.storage.listings import Bounds
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.postgres import PostgresStore, open_store
from tandem.ledger.views import record_view

# `w10` sorts between `w1` and what is under it; a quotation mark must not look like an entry.
_ADDRESSES = ("cash", "w1", "w1:a", "w1:a:x", "w1:b", "w10", "w10:a", "w1-a", "W1:a", "x:1", "x:2")
_PREFIXES = ("w1", "w1:a", "w10", "x", "cash", "nobody", "w")
_PAIRS = (
    ("channel", "app"), ("channel", "web"), ("city", "Helsinki"), ("city", '["w1:a",1'),
    ("ä[x]=&", "%2F"), ("", ""),
)  # fmt: skip
_REFERENCES = ("order-1", "order-2", '["w1"', "ä & b=c")
_RECORDS = 150


def _annotation(dice: random.Random) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if dice.random() < 0.5:
        given["metadata"] = dict(dice.sample(_PAIRS, dice.randint(0, 3)))
    return given


def _referenced(dice: random.Random) -> dict[str, Any]:
    given = _annotation(dice)
    if dice.random() < 0.4:
        given["reference"] = dice.choice(_REFERENCES)
    return given


def _command(  # noqa: PLR0911 - a return for each kind
    dice: random.Random, key: str, position: int
) -> SingleCommand:
    """Draw a command; some are refused, which makes records too."""
    debited, credited = dice.sample(_ADDRESSES, 2)
    entries = [api.debit(debited, 2), api.credit(credited, 2)]
    earlier = dice.randint(1, position)
    kind = dice.randrange(8)
    if kind == 0:
        return commands.hold(entries, idempotency_key=key, **_referenced(dice))
    if kind == 1:
        return commands.capture(earlier, amount_minor=1, idempotency_key=key, **_annotation(dice))
    if kind == 2:
        return commands.release(earlier, idempotency_key=key, **_annotation(dice))
    if kind == 3:
        return commands.reverse(earlier, idempotency_key=key, **_referenced(dice))
    if kind == 4:
        return commands.update_account(
            debited,
            status=dice.choice((None, None, "frozen", "open")),
            idempotency_key=key,
            **_annotation(dice),
        )
    if kind == 5:
        return commands.transfer(
            debit_account=debited, credit_account=credited, amount_minor=1, idempotency_key=key
        )
    return commands.post_transaction(entries, idempotency_key=key, **_referenced(dice))


async def _all(ledger: LocalLedger) -> list[api.Record]:
    """The whole log, read past the listings."""
    bodies = await ledger._store.bodies(ledger._ledger_id, 0, 10_000)
    return [record_view(decode(body)) for body in bodies]


class Stage:
    """A ledger with records of every kind, annotated or not, and the loop that it lives on."""

    def __init__(self, runner: asyncio.Runner, store: MemoryStore | PostgresStore) -> None:
        self.runner = runner
        self.store = store
        self.clock = VirtualClock()
        self.ledger: LocalLedger

    async def fill(self) -> None:
        """Write records in batches small and large."""
        dice = random.Random(12)
        opening = [
            account(
                address,
                asset="SEK/2" if address.startswith("x") else "EUR/2",
                account_class="asset" if len(address) % 2 else "liability",
                min_balance_minor=None,
                **_annotation(dice),
            )
            for address in _ADDRESSES
        ]
        await self.ledger.submit_batch(opening)
        position = len(opening)
        while position < _RECORDS:
            keys = [f"{position}-{number}" for number in range(dice.choice((1, 5, 120)))]
            await self.ledger.submit_batch([_command(dice, key, position) for key in keys])
            self.clock.move(1)
            position = (await self.ledger.trial_balance()).position


@asynccontextmanager
async def _staged(runner: asyncio.Runner, which: str, uri: str) -> AsyncIterator[Stage]:
    async with open_store(uri, max_clock_skew_us=ANY_SKEW_US) as postgres:
        stage = Stage(runner, MemoryStore(VirtualClock()) if which == "memory" else postgres)
        async with in_process(stage.store, stage.clock) as stage.ledger:
            await stage.fill()
            yield stage
            assert (await stage.ledger.verify()).holds


@pytest.fixture(scope="module", params=STORES)
def stage(request: pytest.FixtureRequest, ledger_database: str) -> Iterator[Stage]:
    """A stage for all the examples of a module, verified at the end."""
    with asyncio.Runner() as runner:
        staged = _staged(runner, request.param, ledger_database)
        yield runner.run(staged.__aenter__())
        runner.run(staged.__aexit__(None, None, None))


def _below(address: str, prefix: str) -> bool:
    return address.split(":")[: prefix.count(":") + 1] == prefix.split(":")


def _listed(record: api.Record, chosen: Mapping[str, Any]) -> bool:
    """Tell by hand whether a record has everything that is asked for."""
    touched = [entry.account for entry in record.entries]
    asks: dict[str, Callable[[Any], bool]] = {
        "account": lambda wanted: wanted in touched,
        "account_prefix": lambda wanted: any(_below(address, wanted) for address in touched),
        "kind": lambda wanted: record.kind == wanted,
        "reference": lambda wanted: record.reference == wanted,
        "metadata": lambda wanted: wanted.items() <= record.metadata.items(),
        "recorded_from": lambda wanted: record.recorded_at >= wanted,
        "recorded_until": lambda wanted: record.recorded_at < wanted,
        "newest_first": lambda _: True,
    }
    return all(asks[name](wanted) for name, wanted in chosen.items())


_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "account": st.sampled_from(_ADDRESSES),
        "account_prefix": st.sampled_from(_PREFIXES),
        "kind": st.sampled_from(RecordKind),
        "reference": st.sampled_from(_REFERENCES),
        "metadata": st.lists(st.sampled_from(_PAIRS), max_size=3).map(dict),
        "newest_first": st.booleans(),
    },
)
_BOUNDS = st.builds(
    Bounds,
    window_records=st.sampled_from((20, 50, 10_000)),
    probes=st.sampled_from((40, 90, 10_000)),
    merged_accounts=st.sampled_from((1, 3, 100)),
    probed_accounts=st.sampled_from((1, 2, 16)),
)


# Moments as hundredths of the log, which grows from example to example.
_MOMENTS = st.fixed_dictionaries(
    {}, optional={"recorded_from": st.integers(0, 50), "recorded_until": st.integers(50, 99)}
)


@settings(max_examples=120, derandomize=True)
@given(chosen=_FILTERS, moments=_MOMENTS, limit=st.sampled_from((1, 3, 10, 1_000)), bounds=_BOUNDS)
def test_every_filter_lists_what_it_says(
    stage: Stage, chosen: dict[str, Any], moments: dict[str, int], limit: int, bounds: Bounds
) -> None:
    """All pages together are the matching records of the log, each once, in order."""
    if isinstance(stage.store, PostgresStore):
        stage.store.bounds = bounds

    async def check() -> None:
        records = await _all(stage.ledger)
        asked = dict(chosen)
        for name, hundredth in moments.items():
            asked[name] = records[hundredth * len(records) // 100].recorded_at
        expected = [record for record in records if _listed(record, asked)]
        if asked.get("newest_first"):
            expected.reverse()
        page = await stage.ledger.records(limit=limit, **asked)
        found = list(page.items)
        while page.next_cursor is not None:
            page = await stage.ledger.records(limit=limit, cursor=page.next_cursor, **asked)
            assert len(page.items) <= limit
            found += page.items
        assert found == expected

    stage.runner.run(check())


@settings(max_examples=40, derandomize=True)
@given(chosen=_FILTERS, bounds=_BOUNDS)
def test_a_walk_is_stable_under_inserts(
    stage: Stage, chosen: dict[str, Any], bounds: Bounds
) -> None:
    """While others write, a walk skips and repeats nothing; new records come last or not at all."""
    if isinstance(stage.store, PostgresStore):
        stage.store.bounds = bounds

    async def check() -> None:
        before = await _all(stage.ledger)
        dice = random.Random(len(before))
        page = await stage.ledger.records(limit=3, **chosen)
        found = list(page.items)
        for number in range(10):
            key = f"during-{len(before)}-{number}"
            await stage.ledger.submit_batch([_command(dice, key, len(before))])
            if page.next_cursor is not None:
                page = await stage.ledger.records(limit=3, cursor=page.next_cursor, **chosen)
                found += page.items
        while page.next_cursor is not None:
            page = await stage.ledger.records(cursor=page.next_cursor, **chosen)
            found += page.items
        expected = [record for record in await _all(stage.ledger) if _listed(record, chosen)]
        least = sum(_listed(record, chosen) for record in before)
        if chosen.get("newest_first"):
            assert found == expected[:least][::-1]
        else:
            assert found == expected[: len(found)]
            assert len(found) >= least

    stage.runner.run(check())


_ACCOUNT_FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "prefix": st.sampled_from(_PREFIXES),
        "asset": st.sampled_from(("EUR/2", "SEK/2", "NOK/2")),
        "account_class": st.sampled_from(("liability", "asset", "income")),
        "status": st.sampled_from(("open", "frozen", "closed")),
        "metadata": st.lists(st.sampled_from(_PAIRS), max_size=3).map(dict),
    },
)


def _account_listed(one: api.Account, chosen: Mapping[str, Any]) -> bool:
    """Tell by hand whether an account has everything that is asked for."""
    return (
        _below(one.address, chosen.get("prefix", one.address))
        and one.asset == chosen.get("asset", one.asset)
        and one.account_class == chosen.get("account_class", one.account_class)
        and one.status == chosen.get("status", one.status)
        and chosen.get("metadata", {}).items() <= one.metadata.items()
    )


@settings(max_examples=120, derandomize=True)
@given(chosen=_ACCOUNT_FILTERS, limit=st.sampled_from((1, 3, 1_000)), bounds=_BOUNDS)
def test_every_filter_lists_its_accounts(
    stage: Stage, chosen: dict[str, Any], limit: int, bounds: Bounds
) -> None:
    """As they stand, each once, by address, though their metadata was another before."""
    if isinstance(stage.store, PostgresStore):
        stage.store.bounds = bounds._replace(probes=bounds.probes // 10)

    async def check() -> None:
        everybody = [await stage.ledger.account(address) for address in sorted(_ADDRESSES)]
        page = await stage.ledger.accounts(limit=limit, **chosen)
        found = list(page.items)
        while page.next_cursor is not None:
            page = await stage.ledger.accounts(limit=limit, cursor=page.next_cursor, **chosen)
            assert len(page.items) <= limit
            found += page.items
        assert found == [one for one in everybody if _account_listed(one, chosen)]

    stage.runner.run(check())
