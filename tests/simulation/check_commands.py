"""Hold one record to the command that asked for it: an effect to what was asked, a refusal to why.

Commands are only read here, as what the client said.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.check_log import Log, Totals, available, balance
from tests.simulation.history import Operation

_KINDS = {
    "OpenAccount": "open_account",
    "UpdateAccount": "update_account",
    "Transfer": "transaction",
    "Post": "transaction",
    "PlaceHold": "hold",
    "Capture": "capture",
    "Release": "release",
    "Reverse": "reversal",
}
# Which commands a refusal may answer, where not any.
_ANSWERS = {
    "account_exists": ("OpenAccount",),
    "account_not_empty": ("UpdateAccount",),
    "hold_not_found": ("Capture", "Release"),
    "hold_not_open": ("Capture", "Release"),
    "capture_exceeds_hold": ("Capture", "Release"),
    "transaction_not_found": ("Reverse",),
    "already_reversed": ("Reverse",),
    "reversal_exceeds_original": ("Reverse",),
}
_LIMITED = ("insufficient_funds", "limit_exceeded")


def check_effect(operation: Operation, record: dict[str, Any], log: Log) -> Iterator[str]:
    """Say where what was done is not what was asked."""
    if not operation.atomic:
        yield from _single(operation.commands[0], record, log)
        return
    if record["kind"] != "batch" or record["commands"] != len(operation.commands):
        yield f"a batch of {len(operation.commands)} became {record['kind']}"
        return
    first = record["position"]
    for command, member in zip(
        operation.commands, log.records[first : first + len(operation.commands)], strict=False
    ):
        yield from _single(command, member, log)


def _single(command: Any, record: dict[str, Any], log: Log) -> Iterator[str]:
    kind = _KINDS[type(command).__name__]
    if record["kind"] != kind:
        yield f"a {kind} became {record['kind']}"
        return
    match kind:
        case "transaction" | "hold":
            yield from _entries(command, record)
        case "capture" | "release" | "reversal":
            yield from _part(command, record, log)
        case _:
            yield from _account(command, record, log)


def _entries(command: Any, record: dict[str, Any]) -> Iterator[str]:
    first = 1 if record["kind"] == "transaction" else 3
    asked = [
        [entry.address, first + (entry.direction == "credit"), entry.amount_minor]
        for entry in command.entries
    ]
    if asked != [entry[:3] for entry in record["entries"]]:
        yield f"{asked} was asked, {record['entries']} was done"
    if record["kind"] == "hold":
        said = record.get("expires_at_us"), record.get("capture_limit_minor")
        if said != (command.expires_at_us, command.capture_limit_minor):
            yield f"it was asked to expire at {command.expires_at_us}"
    if record.get("reference") != command.reference:
        yield f"its reference is {record.get('reference')}"
    if record.get("metadata", {}) != dict(command.metadata):
        yield f"its metadata is {record.get('metadata')}"


def _part(command: Any, record: dict[str, Any], log: Log) -> Iterator[str]:
    kind = record["kind"]
    parent = command.transaction if kind == "reversal" else command.hold
    if record["parent"] != parent:
        yield f"it is of {record['parent']}, not {parent}"
        return
    yield from _how_much(command, record, parent, log)
    if getattr(command, "final", False) != record.get("final", False):
        yield "final was not kept"
    if getattr(command, "override_limits", False) != record.get("override_limits", False):
        yield "override_limits was not kept"


def _how_much(command: Any, record: dict[str, Any], parent: int, log: Log) -> Iterator[str]:
    kind, entries = record["kind"], record.get("entries", ())
    if command.amount_minor is not None:
        effects = {"capture": (1, 5), "release": (7,), "reversal": (1,)}[kind]
        done = sum(entry[2] for entry in entries if entry[1] in effects)
        if done != command.amount_minor:
            yield f"{command.amount_minor} was asked, {done} was done"
    elif command.entries is not None:
        asked = [
            [one.address, one.direction == "debit", one.amount_minor] for one in command.entries
        ]
        taken = [[address, effect % 2 == 1, amount] for address, effect, amount, *_ in entries]
        if sorted(asked) != sorted(taken):
            yield f"{asked} was asked, {taken} was done"
    elif kind == "reversal":
        if any(log.posted[parent].values()) and _is_last(record, parent, log):
            yield "all was asked, and something is left"
    else:
        state = log.holds[parent].at(record["position"])
        if state is not None and any(state[2].values()):
            yield "all was asked, and something is left"


def _is_last(record: dict[str, Any], parent: int, log: Log) -> bool:
    later = log.records[record["position"] :]
    return not any(other.get("parent") == parent for other in later)


def _account(command: Any, record: dict[str, Any], log: Log) -> Iterator[str]:
    account = record["account"]
    low, high = account.get("min_balance_minor"), account.get("max_balance_minor")
    if record["kind"] == "open_account":
        asked = (
            command.address,
            command.asset,
            command.account_class,
            command.min_balance_minor,
            command.max_balance_minor,
        )
        if asked != (account["address"], account["asset"], account["account_class"], low, high):
            yield f"{account} was opened"
        return
    before = log.account_at(command.address, record["position"] - 1)
    if before is None or account["address"] != command.address:
        yield f"{account['address']} was updated"
        return
    expected = dict(before)
    if command.status is not None:
        expected["status"] = command.status.value
    for name, limit in (
        ("min_balance_minor", command.min_balance),
        ("max_balance_minor", command.max_balance),
    ):
        if limit is not None:
            expected[name] = limit.balance_minor
            if limit.balance_minor is None:
                del expected[name]
    if account != expected:
        yield f"{expected} was asked, {account} was done"


# -- refusals ----------------------------------------------------------------------------------


def check_refusal(operation: Operation, record: dict[str, Any], log: Log) -> Iterator[str]:
    """Say where a refusal had no reason. Of atomic batches the state within is not rebuilt."""
    if operation.atomic:
        return
    code, command = record["refusal"]["code"], operation.commands[0]
    if type(command).__name__ not in _ANSWERS.get(code, _KINDS):
        yield f"{code} is no answer to it"
        return
    due = _due_of_account(code, command, record, log) and _due_of_parent(code, command, record, log)
    if not due:
        yield f"at {record['position']} it was refused {code} without a reason"


def _due_of_account(code: str, command: Any, record: dict[str, Any], log: Log) -> bool:
    before = record["position"] - 1
    match code:
        case "account_exists":
            return log.account_at(command.address, before) is not None
        case "account_not_found":
            return any(log.account_at(one, before) is None for one in _addresses(command, log))
        case "account_frozen" | "account_closed":
            status = code.removeprefix("account_")
            accounts = (log.account_at(one, before) for one in _addresses(command, log))
            return any(held is not None and held["status"] == status for held in accounts)
        case "account_not_empty":
            a, b, c, d = log.totals_at(command.address, before)
            return a != b or c > 0 or d > 0
    return True


def _due_of_parent(code: str, command: Any, record: dict[str, Any], log: Log) -> bool:
    before = record["position"] - 1
    match code:
        case "hold_not_found":
            return command.hold not in log.holds or command.hold > before
        case "hold_not_open":
            status = _hold_status(command.hold, record, log)
            return bool(status == record["refusal"]["hold_status"])
        case "transaction_not_found":
            return command.transaction not in log.posted or command.transaction > before
        case "insufficient_funds" | "limit_exceeded":
            return _past_limit(command, record, log)
    return True


def _addresses(command: Any, log: Log) -> list[str]:
    match type(command).__name__:
        case "Transfer" | "Post" | "PlaceHold":
            return [entry.address for entry in command.entries]
        case "OpenAccount" | "UpdateAccount":
            return [command.address]
        case name:
            parent = command.transaction if name == "Reverse" else command.hold
            record = log.records[parent - 1] if parent <= len(log.records) else {}
            return [entry[0] for entry in record.get("entries", ())]


def _hold_status(position: int, record: dict[str, Any], log: Log) -> str | None:
    hold = log.holds.get(position)
    state = None if hold is None else hold.at(record["position"])
    if hold is None or state is None:
        return None
    at_us = record["recorded_at_us"]
    if state[0] == "open" and hold.expires_at_us is not None and hold.expires_at_us <= at_us:
        return "expired"
    return state[0]


def _past_limit(command: Any, record: dict[str, Any], log: Log) -> bool:
    """Whether a transaction or hold would have taken an account past a limit of it."""
    before = record["position"] - 1
    said = record["refusal"].get("available_minor")
    name = type(command).__name__
    if name not in ("Transfer", "Post", "PlaceHold"):
        return True  # what a capture or reversal posts is not rebuilt
    changes: Counter[tuple[str, int]] = Counter()
    for entry in command.entries:
        shift = 2 if name == "PlaceHold" else 0
        changes[entry.address, shift + (entry.direction == "credit")] += entry.amount_minor
    for address in dict.fromkeys(entry.address for entry in command.entries):
        account = log.account_at(address, before)
        if account is None:
            return False
        earlier = log.totals_at(address, before)
        a, b, c, d = (total + changes[address, index] for index, total in enumerate(earlier))
        now: Totals = (a, b, c, d)
        low, high = account.get("min_balance_minor"), account.get("max_balance_minor")
        free = available(account, earlier)
        if low is not None and available(account, now) < min(low, free):
            return said is None or said == max(free - low, 0)
        if high is not None and balance(account, now) > max(high, balance(account, earlier)):
            return bool(record["refusal"]["code"] == _LIMITED[1])
    return False
