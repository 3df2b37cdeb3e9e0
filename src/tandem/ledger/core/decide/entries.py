"""Entries of any command: existence, state, agreement, bounds, money - in that order."""

from collections.abc import Sequence
from typing import NamedTuple

from tandem.ledger.core.accounts import Account, AccountStatus
from tandem.ledger.core.kinds import Direction, Effect
from tandem.ledger.core.limits import MAX_AMOUNT_MINOR
from tandem.ledger.core.records import Balance, Entry, after
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State


class Leg(NamedTuple):
    """An entry to be: what is done to which account; `asset`, where given, must be its."""

    address: str
    effect: Effect
    amount_minor: int
    asset: str | None = None


def settle(
    state: State, legs: Sequence[Leg], *, override_limits: bool = False
) -> tuple[Entry, ...] | Refusal:
    """Turn legs into entries with running totals, or refuse; the state is not changed."""
    accounts = [state.accounts[leg.address] for leg in legs]
    refusal = _existence(legs, accounts) or _standing(legs, accounts) or _agreement(legs, accounts)
    if refusal is not None:
        return refusal
    entries: list[Entry] = []
    totals: dict[str, Balance] = {}
    for index, leg in enumerate(legs):
        address = leg.address
        balance = totals.get(address)
        if balance is None:
            balance = state.balances[address]
        balance = after(balance, leg.effect, leg.amount_minor)
        if max(balance) > MAX_AMOUNT_MINOR:
            return Refusal(
                RefusalCode.AMOUNT_OVERFLOW,
                f"a running total of {address} would pass 2^127-1",
                "amount_minor",
                index,
            )
        assert min(balance) >= 0, f"a running total of {address} would fall below zero"
        totals[address] = balance
        entries.append(Entry(address, leg.effect, leg.amount_minor, balance))
    if not override_limits:
        refusal = _limits(state, legs, accounts, totals)
    return tuple(entries) if refusal is None else refusal


def _existence(legs: Sequence[Leg], accounts: Sequence[Account | None]) -> Refusal | None:
    if None not in accounts:
        return None
    index = accounts.index(None)
    return Refusal(
        RefusalCode.ACCOUNT_NOT_FOUND, f"no account {legs[index].address}", "account", index
    )


def _standing(legs: Sequence[Leg], accounts: Sequence[Account | None]) -> Refusal | None:
    for index, account in enumerate(accounts):
        assert account is not None
        if account.status is AccountStatus.OPEN:
            continue
        if account.status is AccountStatus.CLOSED:
            code = RefusalCode.ACCOUNT_CLOSED
        elif _reserved(account, legs[index].effect):
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
        if leg.asset is not None and leg.asset != account.asset:
            detail = f"{account.address} holds {account.asset}, not {leg.asset}"
            return Refusal(RefusalCode.ASSET_MISMATCH, detail, "asset", index)
        signed = leg.amount_minor if leg.effect % 2 else -leg.amount_minor
        sums[account.asset] = sums.get(account.asset, 0) + signed
    if not any(sums.values()):
        return None
    if len(legs) == len(sums) == 2:  # noqa: PLR2004 - a transfer
        detail = f"a transfer cannot change {' into '.join(sums)}"
        return Refusal(RefusalCode.ASSET_MISMATCH, detail, "account", 1)
    uneven = ", ".join(f"{asset} by {total}" for asset, total in sums.items() if total)
    return Refusal(RefusalCode.UNBALANCED, f"debits exceed credits in {uneven}", "entries")


def _limits(
    state: State,
    legs: Sequence[Leg],
    accounts: Sequence[Account | None],
    totals: dict[str, Balance],
) -> Refusal | None:
    """Check limits on the state after the whole transaction, never in the order of legs.

    Only what makes a bound worse is refused: an account that is past a new limit may recover.
    """
    for index, account in enumerate(accounts):
        assert account is not None
        if account.min_balance_minor is None and account.max_balance_minor is None:
            continue
        before = state.balances[legs[index].address]
        refusal = _within(account, before, totals[legs[index].address], index)
        if refusal is not None:
            return refusal
    return None


def _within(account: Account, before: Balance, now: Balance, index: int) -> Refusal | None:
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


def direction_effect(verb: str, direction: Direction) -> Effect:
    """Return the effect of a verb (POST, HOLD, CAPTURE, RELEASE) on a side."""
    return Effect[f"{verb}_{direction.name}"]
