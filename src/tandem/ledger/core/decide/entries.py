"""Entries of any command: existence, state, agreement, bounds, money - in that order."""

from collections.abc import Sequence
from typing import Final

from tandem.ledger.core.accounts import Account, AccountStatus
from tandem.ledger.core.kinds import Direction, Effect
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance, Entry, after
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State

_OPEN: Final = AccountStatus.OPEN
# As in `records`: a named tuple's own constructor costs more than all the rest of the loop.
_new: Final = tuple.__new__


# An entry to be: address, effect, amount in minor units, and the asset it must be (None: any).
# A plain tuple, because every entry of every command is one for a moment.
type Leg = tuple[str, Effect, int, str | None]


def settle(
    state: State, legs: Sequence[Leg], *, override_limits: bool = False
) -> tuple[Entry, ...] | Refusal:
    """Turn legs into entries with running totals, or refuse; the state is not changed.

    One pass for the usual case; whatever is odd goes to `irregular`, which knows the precedence.
    """
    accounts, balances = state.accounts, state.balances
    entries: list[Entry] = []
    totals: dict[str, Balance] = {}
    net_minor, ledger_asset, limited = 0, None, False
    for address, effect, amount_minor, asset in legs:
        account = accounts[address]
        if account is None or account.status is not _OPEN:
            return _settle_odd(state, legs, override_limits=override_limits)
        if ledger_asset is None:
            ledger_asset = account.asset
        if account.asset != ledger_asset or (asset is not None and asset != ledger_asset):
            return _settle_odd(state, legs, override_limits=override_limits)
        net_minor += amount_minor if effect & 1 else -amount_minor
        balance = after(totals.get(address) or balances[address], effect, amount_minor)
        totals[address] = balance
        limited = limited or account.limited
        entries.append(_new(Entry, (address, effect, amount_minor, balance)))
        a, b, c, d = balance
        # Or-ed, the four totals stay below 2^127 exactly if each does, and negative if one is.
        if not 0 <= a | b | c | d <= MAX_AMOUNT_MINOR:
            return _settle_odd(state, legs, override_limits=override_limits)
    if net_minor:
        return _settle_odd(state, legs, override_limits=override_limits)
    refusal = _limits(state, legs, totals) if limited and not override_limits else None
    return tuple(entries) if refusal is None else refusal


def _settle_odd(
    state: State, legs: Sequence[Leg], *, override_limits: bool
) -> tuple[Entry, ...] | Refusal:
    """Settle what looked odd: refuse it in order, or let several assets or a release pass."""
    refusal = irregular(state, legs)
    if refusal is not None:
        return refusal
    entries: list[Entry] = []
    totals: dict[str, Balance] = {}
    for index, (address, effect, amount_minor, _) in enumerate(legs):
        balance = after(totals.get(address) or state.balances[address], effect, amount_minor)
        if max(balance) > MAX_AMOUNT_MINOR:
            detail = f"a running total of {address} would pass 2^127-1"
            return Refusal(RefusalCode.AMOUNT_OVERFLOW, detail, "amount_minor", index)
        assert min(balance) >= 0, f"a running total of {address} would be negative"
        totals[address] = balance
        entries.append(Entry(address, effect, amount_minor, balance))
    refusal = None if override_limits else _limits(state, legs, totals)
    return tuple(entries) if refusal is None else refusal


def irregular(state: State, legs: Sequence[Leg]) -> Refusal | None:
    """Say what of existence, state and agreement is wrong first, if anything is."""
    accounts = [state.accounts[leg[0]] for leg in legs]
    return _existence(legs, accounts) or _standing(legs, accounts) or _agreement(legs, accounts)


def _existence(legs: Sequence[Leg], accounts: Sequence[Account | None]) -> Refusal | None:
    if None not in accounts:
        return None
    index = accounts.index(None)
    return Refusal(RefusalCode.ACCOUNT_NOT_FOUND, f"no account {legs[index][0]}", "account", index)


def _standing(legs: Sequence[Leg], accounts: Sequence[Account | None]) -> Refusal | None:
    for index, account in enumerate(accounts):
        assert account is not None
        if account.status is AccountStatus.OPEN:
            continue
        if account.status is AccountStatus.CLOSED:
            code = RefusalCode.ACCOUNT_CLOSED
        elif _reserved(account, legs[index][1]):
            continue
        else:
            code = RefusalCode.ACCOUNT_FROZEN
        return Refusal(code, f"{account.address} is {account.status}", "account", index)
    return None


def _reserved(account: Account, effect: Effect) -> bool:
    """Tell whether a frozen account lets an effect pass.

    Releases do, and captured outflow, which was reserved before the freeze; new outflow and any
    inflow do not.
    """
    if effect >= Effect.RELEASE_DEBIT:
        return True
    return effect is (Effect.CAPTURE_CREDIT if account.debit_normal else Effect.CAPTURE_DEBIT)


def _agreement(legs: Sequence[Leg], accounts: Sequence[Account | None]) -> Refusal | None:
    sums: dict[str, int] = {}
    for index, (leg, account) in enumerate(zip(legs, accounts, strict=True)):
        assert account is not None
        _, effect, amount_minor, asset = leg
        if asset is not None and asset != account.asset:
            detail = f"{account.address} holds {account.asset}, not {asset}"
            return Refusal(RefusalCode.ASSET_MISMATCH, detail, "asset", index)
        signed = amount_minor if effect % 2 else -amount_minor
        sums[account.asset] = sums.get(account.asset, 0) + signed
    if not any(sums.values()):
        return None
    if len(legs) == len(sums) == 2:  # noqa: PLR2004 - a transfer
        detail = f"a transfer cannot change {' into '.join(sums)}"
        return Refusal(RefusalCode.ASSET_MISMATCH, detail, "account", 1)
    uneven = ", ".join(f"{asset} by {total}" for asset, total in sums.items() if total)
    return Refusal(RefusalCode.UNBALANCED, f"debits exceed credits in {uneven}", "entries")


def _limits(state: State, legs: Sequence[Leg], totals: dict[str, Balance]) -> Refusal | None:
    """Check limits on the state after the whole transaction, never in the order of legs.

    Only what makes a bound worse is refused: an account that is past a new limit may recover.
    """
    for index, leg in enumerate(legs):
        account = state.accounts[leg[0]]
        assert account is not None
        if not account.limited:
            continue
        refusal = within(account, state.balances[leg[0]], totals[leg[0]], index)
        if refusal is not None:
            return refusal
    return None


def within(account: Account, before: Balance, now: Balance, index: int) -> Refusal | None:
    """Check an account's limits on its totals after a whole transaction."""
    side = account.debit_normal
    low, high = account.min_balance_minor, account.max_balance_minor
    available = before.available(debit_normal=side)
    if low is not None and now.available(debit_normal=side) < min(low, available):
        return Refusal(
            RefusalCode.INSUFFICIENT_FUNDS,
            f"{account.address} has {max(available - low, 0)} available",
            "account",
            index,
            available_minor=max(available - low, 0),
        )
    if high is not None and now.posted(debit_normal=side) > max(
        high, before.posted(debit_normal=side)
    ):
        detail = f"{account.address} may hold at most {high}"
        return Refusal(RefusalCode.LIMIT_EXCEEDED, detail, "account", index)
    return None


_EFFECTS: Final = {(effect.verb, effect.direction): effect for effect in Effect}


def direction_effect(verb: str, direction: Direction) -> Effect:
    """Return the effect of a verb (post, hold, capture, release) on a side."""
    return _EFFECTS[verb, direction]
