"""Usual transfers, decided and written in one go.

Nine commands in ten are two plain entries between open accounts of one asset, and they come by the
thousand. This does for a run of them what `decide`, `encode_with_columns`, the entry columns and
`State.apply` do for every command, at a third of the cost, and knows nothing else: whatever is
unusual, a refusal above all, ends the run and is left to those. That both give the same records,
texts and state is a property test.
"""

from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Final, NamedTuple

from tandem.ledger.core.accounts import Account, AccountStatus
from tandem.ledger.core.canonical import FORMAT_VERSION
from tandem.ledger.core.commands import NO_METADATA, Command, Post, Transfer
from tandem.ledger.core.decide.entries import within
from tandem.ledger.core.kinds import Direction, Effect, RecordKind
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance, Entry, Record
from tandem.ledger.core.state import State

PERHAPS_USUAL: Final = frozenset({Post, Transfer})
_OPEN: Final = AccountStatus.OPEN
_DEBIT: Final = Direction.DEBIT
_CREDIT: Final = Direction.CREDIT
_POST_DEBIT: Final = Effect.POST_DEBIT
_POST_CREDIT: Final = Effect.POST_CREDIT
_TRANSACTION: Final = RecordKind.TRANSACTION
_REST: Final = (None, None, False, False, None, None, None, None, None)
_HEAD: Final = f'{{"v":{FORMAT_VERSION},"position":'
# A named tuple's own constructor is a Python call.
_new: Final = tuple.__new__


class Written(NamedTuple):
    """Records, their canonical texts and their entries' columns, in order."""

    records: list[Record]
    bodies: list[str]
    entry_lines: list[str]


def write_transfers(
    state: State, commands: Sequence[Command], first_us: int, last_us: int, onto: Written
) -> int:
    """Decide usual transfers in order, apply them, write them onto lists; return how many.

    Their times count up from `first_us` by one, to `last_us` at most. Stops at the first command
    that is anything else, or that needs what is not loaded.
    """
    accounts, balances, keys, parents = state.accounts, state.balances, state.keys, state.parents
    records, bodies, lines = onto
    position, now_us = state.position, first_us - 1
    for command in commands[: last_us - now_us]:
        transfer = _as_transfer(command) if type(command) is Post else command
        if type(transfer) is not Transfer:
            break
        key, debited, credited, amount_minor, asset, reference, metadata, when = transfer
        named = asset is not None or reference is not None or metadata or when is not None
        if named or key is None or key in keys or debited == credited:
            break
        source, target = accounts.get(debited), accounts.get(credited)
        if source is None or target is None or not _may_pass(source, target):
            break
        a, b, c, d = before_debit = balances[debited]
        e, f, g, h = before_credit = balances[credited]
        a += amount_minor
        f += amount_minor
        if a > MAX_AMOUNT_MINOR or f > MAX_AMOUNT_MINOR:
            break
        after_debit = _new(Balance, (a, b, c, d))
        after_credit = _new(Balance, (e, f, g, h))
        if source.limited and within(source, before_debit, after_debit, 0) is not None:
            break
        if target.limited and within(target, before_credit, after_credit, 0) is not None:
            break
        position += 1
        now_us += 1
        balances[debited] = after_debit
        balances[credited] = after_credit
        posted = (
            _new(Entry, (debited, _POST_DEBIT, amount_minor, after_debit)),
            _new(Entry, (credited, _POST_CREDIT, amount_minor, after_credit)),
        )
        head = (position, now_us, _TRANSACTION, key, None, posted, None, None, NO_METADATA)
        keys[key] = record = _new(Record, head + _REST)
        if position in parents:
            parents[position] = record
        first = f"1,{amount_minor},{a},{b},{c},{d}"
        second = f"2,{amount_minor},{e},{f},{g},{h}"
        records.append(record)
        bodies.append(
            f'{_HEAD}{position},"recorded_at_us":{now_us},"kind":"transaction",'
            f'"key":{encode_basestring(key)},'
            f'"entries":[["{debited}",{first}],["{credited}",{second}]]}}'
        )
        lines.append(f"{source.number},{position},0,{first}")
        lines.append(f"{target.number},{position},1,{second}")
    written = position - state.position
    if written:
        state.position, state.recorded_at_us = position, now_us
    return written


def _as_transfer(command: Post) -> Transfer | None:
    """Read a debit and a credit of one amount as the transfer that they are."""
    key, entries, reference, metadata, effective_at_us = command
    if len(entries) != 2:  # noqa: PLR2004 - double entry
        return None
    (debited, side, amount_minor, asset), (credited, other, same, other_asset) = entries
    if (side, other, same, other_asset) != (_DEBIT, _CREDIT, amount_minor, asset):
        return None
    return Transfer(
        key, debited, credited, amount_minor, asset, reference, metadata, effective_at_us
    )


def _may_pass(source: Account, target: Account) -> bool:
    """Tell whether both accounts are open and hold the same."""
    return source.status is _OPEN and target.status is _OPEN and source.asset == target.asset
