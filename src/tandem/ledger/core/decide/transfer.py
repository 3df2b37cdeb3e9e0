"""The usual transfer, decided and written in one go.

Nine commands in ten are two plain entries between open accounts of one asset. This does for them
what `decide`, `encode_with_columns` and the entry columns do for every command, at a third of the
cost, and knows nothing else: whatever is unusual, a refusal above all, it leaves to those. That
both give the same record and the same text is a property test.
"""

from json.encoder import encode_basestring
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import AccountStatus
from tandem.ledger.core.canonical import FORMAT_VERSION
from tandem.ledger.core.commands import Post
from tandem.ledger.core.kinds import Direction, Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance, Entry, Record
from tandem.ledger.core.state import State

_OPEN: Final = AccountStatus.OPEN
_new: Final = tuple.__new__
_REST: Final = (None, None, False, False, None, None, None)
_HEAD: Final = f'{{"v":{FORMAT_VERSION},"position":'


class Written(NamedTuple):
    """A record, its canonical text and its entries' columns."""

    record: Record
    body: str
    entry_lines: tuple[str, str]


def written_transfer(state: State, command: Post, now_us: int) -> Written | None:
    """Decide and write a debit and a credit of one amount, or None where anything is unusual."""
    key, entries, reference, metadata = command
    if len(entries) != 2 or reference is not None or metadata or key is None or key in state.keys:  # noqa: PLR2004 - a debit and a credit
        return None
    (debited, side, amount_minor, asset), (credited, other, same, other_asset) = entries
    if (
        side is not Direction.DEBIT
        or other is not Direction.CREDIT
        or amount_minor != same
        or debited == credited
        or asset is not None
        or other_asset is not None
    ):
        return None
    source, target = state.accounts[debited], state.accounts[credited]
    if (
        source is None
        or target is None
        or source.status is not _OPEN
        or target.status is not _OPEN
        or source.asset != target.asset
        or source.limited
        or target.limited
    ):
        return None
    a, b, c, d = state.balances[debited]
    e, f, g, h = state.balances[credited]
    a += amount_minor
    f += amount_minor
    if a > MAX_AMOUNT_MINOR or f > MAX_AMOUNT_MINOR:
        return None
    position = state.position + 1
    posted = (
        _new(Entry, (debited, Effect.POST_DEBIT, amount_minor, _new(Balance, (a, b, c, d)))),
        _new(Entry, (credited, Effect.POST_CREDIT, amount_minor, _new(Balance, (e, f, g, h)))),
    )
    record = _new(
        Record,
        (position, now_us, RecordKind.TRANSACTION, key, None, posted, None, None, metadata, *_REST),
    )
    first = f"1,{amount_minor},{a},{b},{c},{d}"
    second = f"2,{amount_minor},{e},{f},{g},{h}"
    body = (
        f'{_HEAD}{position},"recorded_at_us":{now_us},"kind":"transaction",'
        f'"key":{encode_basestring(key)},'
        f'"entries":[["{debited}",{first}],["{credited}",{second}]]}}'
    )
    lines = (f"{source.number},{position},0,{first}", f"{target.number},{position},1,{second}")
    return _new(Written, (record, body, lines))
