"""Hold what clients were told to the log: nothing lost, nothing twice, nothing out of order."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.simulation.check_commands import check_effect, check_refusal
from tests.simulation.check_log import Log, Totals, available, balance
from tests.simulation.clients import PAGE
from tests.simulation.history import History, Operation, Read, Told

_REUSED: Final = "idempotency_key_reused"


def check_history(history: History, log: Log) -> list[str]:
    """Say what clients saw that the log does not bear out."""
    owners = _owners(history, log)
    findings = [
        f"position {record['position']}: key {key} was never used"
        for key, record in log.keys.items()
        if key not in owners
    ]
    for operation in history.operations:
        owns = owners.get(operation.key) is operation
        findings += [f"{operation.key}: {found}" for found in _operation(operation, log, owns=owns)]
    findings += _order(history, log, owners)
    acknowledged = _Acknowledged.of(history, log, owners)
    for read in history.reads:
        told = f"{read.kind} of {read.subject} at {read.at}, event {read.event}"
        findings += [f"{told}: {found}" for found in _read(read, log, acknowledged)]
    return findings


def _owners(history: History, log: Log) -> dict[str, Operation]:
    """Whose command it is that stands in the log under each key, where several used one."""
    rivals: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history.operations:
        if operation.began is not None:
            rivals[operation.key].append(operation)
    owners: dict[str, Operation] = {}
    for key, operations in rivals.items():
        record = log.keys.get(key)
        if record is None:
            continue
        fitting = [one for one in operations if _may_own(one, record, log)]
        # Of rivals that ask the same, whoever was told so; else any of them.
        told = [one for one in fitting if any(_is_of(t, record) for t in one.told)]
        owners[key] = (told or fitting or operations)[0]
    return owners


def _may_own(operation: Operation, record: dict[str, Any], log: Log) -> bool:
    if any(told.code == _REUSED for told in operation.told):
        return False
    if record["kind"] == "refusal":
        return not list(check_refusal(operation, record, log))
    return not list(check_effect(operation, record, log))


def _is_of(told: Told, record: dict[str, Any]) -> bool:
    if told.position is not None:
        return bool(told.position == record["position"])
    refusal = record.get("refusal")
    return refusal is not None and refusal["code"] == told.code


# -- writes ------------------------------------------------------------------------------------


def _operation(operation: Operation, log: Log, *, owns: bool) -> Iterator[str]:
    record = log.keys.get(operation.key)
    if operation.began is None:
        return
    if not operation.answered and not operation.gave_up:
        yield "it was never answered"
    if len({told.text for told in operation.told}) > 1:
        yield f"it was told different things: {[told.text for told in operation.told]}"
    if sum(not told.replayed and told.code != _REUSED for told in operation.told) > 1:
        yield "it was told twice that it is new"
    for told in operation.told:
        yield from _answer(told, record, owns=owns)
    own = record is None or owns or _may_own(operation, record, log)
    if not own and any(told.code != _REUSED for told in operation.told):
        yield "it was told another's outcome"
    if owns and record is not None:
        check = check_refusal if record["kind"] == "refusal" else check_effect
        yield from check(operation, record, log)


def _answer(told: Told, record: dict[str, Any] | None, *, owns: bool) -> Iterator[str]:
    if told.code == _REUSED:
        if owns or record is None:
            yield "its key was refused as another's"
    elif record is None:
        yield f"it was told {told.code or told.position}, which is not in the log"
    elif not _agrees(told, record):
        yield f"it was told {told.text}, the log has position {record['position']}"


def _agrees(told: Told, record: dict[str, Any]) -> bool:
    refusal = record.get("refusal")
    if told.code is not None:
        return refusal is not None and refusal["code"] == told.code
    at_us = record["recorded_at_us"] + (record["kind"] == "batch")
    return (
        refusal is None
        and told.position == record["position"]
        # Of a batch callers are told the times of its records, of which the first is the next.
        and told.recorded_at_us in (record["recorded_at_us"], at_us)
    )


def _order(history: History, log: Log, owners: dict[str, Operation]) -> list[str]:
    """Whatever was answered before another was asked for stands before it."""
    acknowledged = _Acknowledged.of(history, log, owners)
    findings: list[str] = []
    for operation in owners.values():
        record = log.keys[operation.key]
        rivals = [one for one in history.operations if one.key == operation.key]
        began = min(one.began for one in rivals if one.began is not None)
        before = acknowledged.position_before(began)
        if before >= record["position"]:
            findings.append(
                f"{operation.key}: at {record['position']}, though {before} was answered before"
            )
    return findings


@dataclass(frozen=True, slots=True)
class _Acknowledged:
    """The highest position that was answered for, by event."""

    events: list[int]
    positions: list[int]

    @classmethod
    def of(cls, history: History, log: Log, owners: dict[str, Operation]) -> "_Acknowledged":
        answers = sorted(
            (min(told.event for told in operation.told), _last(log.keys[operation.key]))
            for operation in history.operations
            if operation.told and owners.get(operation.key) is operation
        )
        events: list[int] = []
        positions: list[int] = []
        for event, position in answers:
            events.append(event)
            positions.append(max(position, positions[-1] if positions else 0))
        return cls(events, positions)

    def position_before(self, event: int) -> int:
        """The highest position answered for before an event."""
        index = bisect_right(self.events, event - 1)
        return self.positions[index - 1] if index else 0


def _last(record: dict[str, Any]) -> int:
    return int(record["position"]) + int(record.get("commands", 0))


# -- reads -------------------------------------------------------------------------------------


def _read(read: Read, log: Log, acknowledged: _Acknowledged) -> Iterator[str]:
    low = acknowledged.position_before(read.began)
    high = read.log_length
    if read.code is not None:
        yield from _refused(read, log, low)
        return
    match read.kind:
        case "balance" | "balance at" | "balance at time":
            yield from _balance(read, log, low, high)
        case "totals":
            yield from _totals(read, log, low, high)
        case "record":
            yield from _record(read, log, high)
        case "oldest" | "newest":
            if not any(_page_is(read, log, position) for position in range(low, high + 1)):
                yield f"it never was {read.answer}"
        case "hold":
            if not any(_hold_is(read, log, position) for position in range(low, high + 1)):
                yield f"it never stood as {read.answer.status}, {read.answer.remaining_minor} left"


def _record(read: Read, log: Log, high: int) -> Iterator[str]:
    if read.answer.position != read.subject or read.subject > high:
        yield f"it has position {read.answer.position}"
        return
    said = [(entry.account, entry.amount_minor) for entry in read.answer.entries]
    record = log.records[read.subject - 1]
    if said != [(entry[0], entry[2]) for entry in record.get("entries", ())]:
        yield "its entries are not those of the log"


def _refused(read: Read, log: Log, low: int) -> Iterator[str]:
    match read.code:
        case "account_not_found":
            seen = low if read.at is None or read.kind != "balance at" else read.at
            if read.kind == "balance at time":
                seen = _position_at(log, read.at or 0)
            if log.account_at(read.subject, seen) is not None:
                yield "the account was open"
        case "hold_not_found":
            if read.subject in log.holds and read.subject <= low:
                yield "it is a hold"
        case "transaction_not_found":
            if read.subject <= low:
                yield "there is such a record"
        case "malformed":
            # A position beyond the log, or a time that has not passed by this process's clock.
            too_late = read.kind == "balance at time" and (read.at or 0) > read.clock_us - 1_000_000
            if not too_late and (read.at is None or read.at <= low):
                yield "there was nothing wrong with it"
        case _:
            yield f"it was refused {read.code}"


def _position_at(log: Log, time_us: int) -> int:
    return bisect_right(log.records, time_us, key=lambda record: int(record["recorded_at_us"]))


def _balance(read: Read, log: Log, low: int, high: int) -> Iterator[str]:
    answer = read.answer
    position, now_us = answer.position, read.clock_us
    if read.kind == "balance":
        if not low <= position <= high:
            yield f"it is as of {position}, not between {low} and {high}"
            return
    elif read.kind == "balance at":
        now_us = log.records[position - 1]["recorded_at_us"]
        if position != read.at:
            yield f"it is as of {position}"
    else:
        now_us = read.at or 0
        if position != _position_at(log, now_us):
            yield f"it is as of {position}, the last record by then is {_position_at(log, now_us)}"
    account = log.account_at(read.subject, position)
    if account is None:
        yield "the account was not open"
        return
    totals = log.balance_at(read.subject, position, now_us)
    said: Totals = (
        answer.posted_debits_minor,
        answer.posted_credits_minor,
        answer.pending_debits_minor,
        answer.pending_credits_minor,
    )
    if said != totals:
        yield f"it was {totals} as of {position}, not {said}"
    if (answer.balance_minor, answer.available_minor) != (
        balance(account, totals),
        available(account, totals),
    ):
        yield f"its balance was not {answer.balance_minor}, {answer.available_minor} available"


def _totals(read: Read, log: Log, low: int, high: int) -> Iterator[str]:
    position = read.answer.position
    if position != read.at if read.at is not None else not low <= position <= high:
        yield f"it is as of {position}"
    expected: dict[str, list[int]] = {}
    for address, history in log.accounts.items():
        if history[0][0] > position:
            continue
        sums = expected.setdefault(history[0][1]["asset"], [0, 0, 0, 0])
        for index, total in enumerate(log.totals_at(address, position)):
            sums[index] += total
    said = {
        line.asset: [
            line.posted_debits_minor,
            line.posted_credits_minor,
            line.pending_debits_minor,
            line.pending_credits_minor,
        ]
        for line in read.answer.lines
    }
    if said != expected or any(line.difference_minor for line in read.answer.lines):
        yield f"it says {said}, not {expected}"


def _page_is(read: Read, log: Log, position: int) -> bool:
    """Whether a page of an account's records was the first, or the last, up to a position."""
    listed = [since for since, _ in log.totals.get(read.subject, ()) if since <= position]
    # The opening of an account has no entries; several entries of one record are one line.
    positions = [since for since in dict.fromkeys(listed) if log.records[since - 1].get("entries")]
    page = positions[::-1] if read.kind == "newest" else positions
    return bool(page[:PAGE] == read.answer)


def _hold_is(read: Read, log: Log, position: int) -> bool:
    hold = log.holds.get(read.subject)
    state = None if hold is None else hold.at(position)
    if hold is None or state is None:
        return False
    status, captured, remaining = state
    left = sum(amount for (_, debit), amount in remaining.items() if debit)
    seen = read.answer.status, read.answer.captured_minor, read.answer.remaining_minor
    # An open hold may expire while it is being read; then nothing remains of it.
    expires_us = hold.expires_at_us if status == "open" else None
    as_written = expires_us is None or expires_us > read.clock_us
    by_time = expires_us is not None and expires_us <= read.clock_after_us
    return (as_written and seen == (status, captured, left)) or (
        by_time and seen == ("expired", captured, 0)
    )
