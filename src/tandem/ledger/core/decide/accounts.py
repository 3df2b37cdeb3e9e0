"""Opening and updating accounts."""

from dataclasses import replace

from tandem.ledger.core.accounts import Account, AccountStatus, parse_asset
from tandem.ledger.core.commands import OpenAccount, UpdateAccount
from tandem.ledger.core.records import Balance
from tandem.ledger.core.refusals import Refusal, RefusalCode
from tandem.ledger.core.state import State


def opened(state: State, command: OpenAccount, now_us: int) -> Account | Refusal:
    """Return the account that the command opens, or refuse."""
    if state.accounts[command.address] is not None:
        return Refusal(RefusalCode.ACCOUNT_EXISTS, f"{command.address} is taken", "address")
    asset = parse_asset(command.asset)
    assert asset is not None
    known_scale = state.assets[asset[0]]
    if known_scale is not None and known_scale != asset[1]:
        detail = f"{asset[0]} has scale {known_scale} in this ledger"
        return Refusal(RefusalCode.ASSET_MISMATCH, detail, "asset")
    return Account(
        number=state.next_account_number,
        address=command.address,
        asset=command.asset,
        account_class=command.account_class,
        debit_normal=command.account_class.debit_normal,
        min_balance_minor=command.min_balance_minor,
        max_balance_minor=command.max_balance_minor,
        status=AccountStatus.OPEN,
        opened_position=state.position + 1,
        opened_at_us=now_us,
        metadata=command.metadata,
    )


def updated(state: State, command: UpdateAccount) -> Account | Refusal:
    """Return the account as the command makes it, or refuse. Closed is for ever."""
    account = state.accounts[command.address]
    if account is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND, f"no account {command.address}", "address")
    if account.status is AccountStatus.CLOSED:
        return Refusal(RefusalCode.ACCOUNT_CLOSED, f"{command.address} is closed", "address")
    if command.status is AccountStatus.CLOSED and not _empty(state.balances[command.address]):
        detail = f"{command.address} has a balance or pending amounts"
        return Refusal(RefusalCode.ACCOUNT_NOT_EMPTY, detail, "status")
    changed = replace(
        account,
        status=command.status or account.status,
        metadata=account.metadata if command.metadata is None else command.metadata,
        min_balance_minor=account.min_balance_minor
        if command.min_balance is None
        else command.min_balance.balance_minor,
        max_balance_minor=account.max_balance_minor
        if command.max_balance is None
        else command.max_balance.balance_minor,
    )
    low, high = changed.min_balance_minor, changed.max_balance_minor
    if low is not None and high is not None and low > high:
        detail = "min_balance_minor would be above max_balance_minor"
        return Refusal(RefusalCode.MALFORMED, detail, "min_balance_minor")
    return changed


def _empty(balance: Balance) -> bool:
    return balance.posted_debits == balance.posted_credits and not any(balance[2:])
