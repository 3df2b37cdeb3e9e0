"""Records, commands and refusals of every shape that the core can make."""

from typing import Any, Final

from hypothesis import strategies as st

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.commands import (
    AtomicBatch,
    Capture,
    Command,
    Limit,
    OpenAccount,
    PlaceHold,
    Post,
    Release,
    RequestedEntry,
    Reverse,
    Transfer,
    UpdateAccount,
)
from tandem.ledger.core.kinds import Direction, Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR, MAX_TIME_US
from tandem.ledger.core.records import Balance, Entry, Record
from tandem.ledger.core.refusals import Refusal, RefusalCode

_MOST: Final = MAX_AMOUNT_MINOR

positions = st.integers(1, 2**63 - 1)
times_us = st.integers(0, MAX_TIME_US)
amounts = st.integers(1, _MOST)
limits = st.none() | st.integers(-_MOST, _MOST)
_segments = st.text("aZ0_-", min_size=1, max_size=4)
addresses = st.lists(_segments, min_size=1, max_size=3).map(":".join)
assets = st.builds("{}/{}".format, st.sampled_from(["EUR", "SEK", "X_1"]), st.integers(0, 18))
keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
# Everything but NUL and surrogates, which intake refuses.
texts = st.text(
    st.characters(min_codepoint=1, categories=("L", "N", "P", "S", "Z", "Cc")), max_size=12
)
references = st.none() | texts.filter(bool)
metadata = st.dictionaries(texts, texts, max_size=3).map(lambda held: dict(sorted(held.items())))

balances = st.builds(Balance, *[st.integers(0, _MOST)] * 4)
entries = st.lists(
    st.builds(Entry, addresses, st.sampled_from(Effect), amounts, balances), max_size=4
).map(tuple)


def _account(account_class: AccountClass, **fields: Any) -> Account:
    return Account(account_class=account_class, debit_normal=account_class.debit_normal, **fields)


accounts = st.builds(
    _account,
    st.sampled_from(AccountClass),
    number=positions,
    address=addresses,
    asset=assets,
    min_balance_minor=limits,
    max_balance_minor=limits,
    status=st.sampled_from(AccountStatus),
    opened_position=positions,
    opened_at_us=times_us,
    metadata=metadata,
)
refusals = st.builds(
    Refusal,
    st.sampled_from(RefusalCode),
    texts,
    st.none() | texts,
    st.none() | st.integers(0, 1_000),
    st.none() | st.integers(0, _MOST),
    st.none() | st.sampled_from(["captured", "released", "expired"]),
)
_fingerprints = st.none() | st.integers(0, 2**128 - 1).map("{:032x}".format)
_plain = st.tuples(
    positions, times_us, st.just(RecordKind.TRANSACTION), st.none() | keys, _fingerprints, entries,
    st.none(), references, metadata,
).map(lambda fields: Record(*fields))  # fmt: skip
_rare = st.builds(
    Record,
    positions,
    times_us,
    st.sampled_from([kind for kind in RecordKind if kind is not RecordKind.TRANSACTION]),
    st.none() | keys,
    _fingerprints,
    entries,
    st.none() | positions,
    references,
    metadata,
    st.none() | times_us,
    st.none() | amounts,
    st.booleans(),
    st.booleans(),
    st.none() | accounts,
    st.none() | refusals,
    st.none() | st.integers(1, 1_000),
)
records = _plain | _rare

_requested = st.builds(
    RequestedEntry, addresses, st.sampled_from(Direction), amounts, st.none() | assets
)
_many = st.lists(_requested, min_size=2, max_size=5).map(tuple)
_part = st.tuples(st.none() | amounts, st.none()) | st.tuples(st.none(), _many)


def _posts(key: st.SearchStrategy[str | None]) -> st.SearchStrategy[Any]:
    return st.builds(Post, key, _many, references, metadata, st.none() | times_us)


def _transfers(key: st.SearchStrategy[str | None]) -> st.SearchStrategy[Transfer]:
    asset, when_us = st.none() | assets, st.none() | times_us
    return st.builds(
        Transfer, key, addresses, addresses, amounts, asset, references, metadata, when_us
    )


def _singles(key: st.SearchStrategy[str | None]) -> list[st.SearchStrategy[Any]]:
    new_limit = st.none() | st.builds(Limit, limits)
    return [
        _posts(key),
        _transfers(key),
        st.builds(
            OpenAccount, key, addresses, assets, st.sampled_from(AccountClass), limits, limits,
            metadata,
        ),
        st.builds(
            UpdateAccount, key, addresses, st.none() | st.sampled_from(AccountStatus), new_limit,
            new_limit, st.none() | metadata,
        ),
        st.builds(
            PlaceHold, key, _many, st.none() | times_us, st.none() | amounts, references, metadata
        ),
        st.builds(
            lambda key, hold, part, final, held: Capture(key, hold, part[0], part[1], final, held),
            key, positions, _part, st.booleans(), metadata,
        ),
        st.builds(
            lambda key, hold, part, held: Release(key, hold, part[0], part[1], held),
            key, positions, _part, metadata,
        ),
        st.builds(
            lambda key, at, part, override, reference, held: Reverse(
                key, at, part[0], part[1], override, reference, held
            ),
            key, positions, _part, st.booleans(), references, metadata,
        ),
    ]  # fmt: skip


_batches: st.SearchStrategy[Any] = st.builds(
    AtomicBatch,
    keys,
    st.lists(st.one_of(_singles(st.none())), min_size=1, max_size=4).map(tuple),
)
transfers = _transfers(keys)
singles: st.SearchStrategy[Any] = st.one_of(*_singles(keys))
commands: st.SearchStrategy[Command] = singles | _batches
# Two commands of one kind.
twins: st.SearchStrategy[tuple[Command, Command]] = st.one_of(
    [st.tuples(kind, kind) for kind in (*_singles(keys), _batches)]
)
