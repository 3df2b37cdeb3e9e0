"""Read a log from its JSON alone and find what is wrong with it.

This shares no code with the ledger: it knows the format and the rules, and does its own sums.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

# What an entry adds to posted debits, posted credits, pending debits and pending credits.
EFFECTS: Final[Mapping[int, tuple[int, int, int, int]]] = {
    1: (1, 0, 0, 0),
    2: (0, 1, 0, 0),
    3: (0, 0, 1, 0),
    4: (0, 0, 0, 1),
    5: (1, 0, -1, 0),
    6: (0, 1, 0, -1),
    7: (0, 0, -1, 0),
    8: (0, 0, 0, -1),
}
POST, HOLD, CAPTURE, RELEASE = (1, 2), (3, 4), (5, 6), (7, 8)
MAX_TOTAL: Final = 2**127 - 1
_DEBIT_NORMAL: Final = ("asset", "expense")
_EFFECTS_OF: Final[Mapping[str, tuple[int, ...]]] = {
    "transaction": POST,
    "reversal": POST,
    "hold": HOLD,
    "capture": CAPTURE + POST + RELEASE,
    "release": RELEASE,
    "expiry": RELEASE,
}

type Side = tuple[str, int]  # an account, and 1 for its debits or 0 for its credits
type Totals = tuple[int, int, int, int]


@dataclass(slots=True)
class Hold:
    """A hold as its records leave it; `history` is (position, status, captured, remaining)."""

    position: int
    held: int
    limit: int
    expires_at_us: int | None
    remaining: dict[Side, int]
    captured: int = 0
    status: str = "open"
    history: list[tuple[int, str, int, dict[Side, int]]] = field(default_factory=list)

    def note(self, position: int) -> None:
        """Keep how it stands after a record."""
        self.history.append((position, self.status, self.captured, dict(self.remaining)))

    def at(self, position: int) -> tuple[str, int, dict[Side, int]] | None:
        """How it stood after a record: status, captured, remaining."""
        found = None
        for since, status, captured, remaining in self.history:
            if since > position:
                break
            found = status, captured, remaining
        return found


@dataclass(slots=True)
class Log:
    """What a log says, with everything that it said of an account or hold at any position."""

    records: list[dict[str, Any]] = field(default_factory=list)
    keys: dict[str, dict[str, Any]] = field(default_factory=dict)
    accounts: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    totals: dict[str, list[tuple[int, Totals]]] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    posted: dict[int, dict[Side, int]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def account_at(self, address: str, position: int) -> dict[str, Any] | None:
        """An account as it was after a record."""
        return _latest(self.accounts.get(address, []), position)

    def totals_at(self, address: str, position: int) -> Totals:
        """An account's totals after a record, whatever has expired."""
        return _latest(self.totals.get(address, []), position) or (0, 0, 0, 0)

    def balance_at(self, address: str, position: int, now_us: int) -> Totals:
        """An account's totals after a record, without holds that had expired by a time."""
        totals = list(self.totals_at(address, position))
        for hold in self.holds.values():
            if hold.expires_at_us is None or hold.expires_at_us > now_us:
                continue
            state = hold.at(position)
            if state is not None and state[0] == "open":
                totals[2] -= state[2].get((address, 1), 0)
                totals[3] -= state[2].get((address, 0), 0)
        return (totals[0], totals[1], totals[2], totals[3])


def _latest[T](history: Sequence[tuple[int, T]], position: int) -> T | None:
    found = None
    for since, value in history:
        if since > position:
            break
        found = value
    return found


def read_log(bodies: Sequence[str]) -> Log:
    """Read a log; `findings` of what is returned says what is wrong with it."""
    log = Log()
    for body in bodies:
        reader = _Reader(log, json.loads(body))
        reader.read()
        log.records.append(reader.record)
    _check_pending(log)
    _check_batches(log)
    return log


class _Reader:
    """Takes one record in, and notes what is wrong with it."""

    def __init__(self, log: Log, record: dict[str, Any]) -> None:
        self.log = log
        self.record = record
        self.position: int = record["position"]
        self.kind: str = record["kind"]
        self.entries: list[tuple[str, int, int, Totals]] = [
            (address, effect, amount, (a, b, c, d))
            for address, effect, amount, a, b, c, d in record.get("entries", ())
        ]

    def found(self, what: str) -> None:
        self.log.findings.append(f"position {self.position} ({self.kind}): {what}")

    def read(self) -> None:
        self._order()
        self._key()
        self._account()
        self._overdue()
        self._entries()
        match self.kind:
            case "hold":
                self._hold()
            case "capture" | "release" | "expiry":
                self._of_hold()
            case "reversal":
                self._reversal()
        if self.kind in ("transaction", "capture", "reversal"):
            self.log.posted[self.position] = self._sides(POST + CAPTURE)

    # -- order and keys ------------------------------------------------------------------------

    def _order(self) -> None:
        last = self.log.records[-1] if self.log.records else None
        if self.position != (last["position"] if last else 0) + 1:
            self.found("positions have a gap")
        if last and self.record["recorded_at_us"] <= last["recorded_at_us"]:
            self.found("its time is not after the one before")

    def _key(self) -> None:
        key = self.record.get("key")
        if key is None:
            return
        if key in self.log.keys:
            self.found(f"key {key} is at {self.log.keys[key]['position']} already")
        self.log.keys[key] = self.record

    def _overdue(self) -> None:
        """No record stands after a hold's expiry that is not written down before it."""
        for hold in self.log.holds.values():
            overdue = (
                hold.status == "open"
                and hold.expires_at_us is not None
                and hold.expires_at_us <= self.record["recorded_at_us"]
            )
            if overdue and self.kind != "expiry":
                self.found(f"hold {hold.position} expired before it, unwritten")

    # -- accounts ------------------------------------------------------------------------------

    def _account(self) -> None:
        account = self.record.get("account")
        if account is None:
            return
        address = account["address"]
        history = self.log.accounts.setdefault(address, [])
        if self.kind == "open_account":
            if history:
                self.found(f"{address} was open already")
            if account["number"] != len(self.log.accounts):
                self.found(f"{address} has number {account['number']}")
            self.log.totals[address] = [(self.position, (0, 0, 0, 0))]
        elif not history:
            self.found(f"{address} was never opened")
        else:
            before = history[-1][1]
            if before["status"] == "closed":
                self.found(f"{address} was closed")
            a, b, c, d = self.log.totals_at(address, self.position)
            if account["status"] == "closed" and (a != b or c or d):
                self.found(f"{address} is closed and not empty")
        history.append((self.position, account))

    # -- entries -------------------------------------------------------------------------------

    def _entries(self) -> None:
        sums: Counter[tuple[str, str]] = Counter()
        before: dict[str, Totals] = {}
        allowed = _EFFECTS_OF.get(self.kind, ())
        for address, effect, amount, said in self.entries:
            account = self.log.account_at(address, self.position)
            if account is None:
                self.found(f"{address} was never opened")
                continue
            if effect not in allowed or amount < 1:
                self.found(f"effect {effect} of {amount}")
            totals = self.log.totals_at(address, self.position)
            before.setdefault(address, totals)
            adds = EFFECTS[effect]
            sums[account["asset"], "posted"] += (adds[0] - adds[1]) * amount
            sums[account["asset"], "pending"] += (adds[2] - adds[3]) * amount
            a, b, c, d = (total + one * amount for total, one in zip(totals, adds, strict=True))
            if (a, b, c, d) != said:
                self.found(f"totals of {address} go from {totals} to {said}")
            if not 0 <= min(a, b, c, d) <= max(a, b, c, d) <= MAX_TOTAL:
                self.found(f"totals of {address} are out of bounds")
            history = self.log.totals.setdefault(address, [])
            history.append((self.position, (a, b, c, d)))
            self._standing(account, effect)
        if any(sums.values()):
            self.found("it does not balance")
        # A hold of which all is captured may still have headroom to give up.
        if self.kind in ("transaction", "hold", "reversal") and not self.entries:
            self.found("it has no entries")
        self._limits(before)

    def _standing(self, account: Mapping[str, Any], effect: int) -> None:
        outflow = CAPTURE[1] if account["account_class"] in _DEBIT_NORMAL else CAPTURE[0]
        frozen = account["status"] == "frozen" and effect not in (*RELEASE, outflow)
        if account["status"] == "closed" or frozen:
            self.found(f"{account['address']} is {account['status']}")

    def _limits(self, before: Mapping[str, Totals]) -> None:
        if self.record.get("override_limits"):
            return
        for address, earlier in before.items():
            account = self.log.account_at(address, self.position)
            assert account is not None
            now = self.log.totals_at(address, self.position)
            low, high = account.get("min_balance_minor"), account.get("max_balance_minor")
            if low is not None and available(account, now) < min(low, available(account, earlier)):
                self.found(f"{address} falls to {available(account, now)}, below {low}")
            if high is not None and balance(account, now) > max(high, balance(account, earlier)):
                self.found(f"{address} rises to {balance(account, now)}, above {high}")

    # -- holds and reversals -------------------------------------------------------------------

    def _sides(self, effects: Sequence[int]) -> dict[Side, int]:
        sides: Counter[Side] = Counter()
        for address, effect, amount, _ in self.entries:
            if effect in effects:
                sides[address, effect % 2] += amount
        return dict(sides)

    def _hold(self) -> None:
        sides = self._sides(HOLD)
        held = sum(amount for (_, debit), amount in sides.items() if debit)
        expires_at_us = self.record.get("expires_at_us")
        if expires_at_us is not None and expires_at_us <= self.record["recorded_at_us"]:
            self.found("it has expired when it begins")
        limit = self.record.get("capture_limit_minor", held)
        if limit < held:
            self.found("its capture limit is below what it holds")
        hold = Hold(self.position, held, limit, expires_at_us, sides)
        hold.note(self.position)
        self.log.holds[self.position] = hold

    def _of_hold(self) -> None:
        hold = self.log.holds.get(self.record["parent"])
        if hold is None:
            self.found("its hold is none")
            return
        if hold.status != "open":
            self.found(f"hold {hold.position} was {hold.status}")
        for side, amount in self._sides(CAPTURE + RELEASE).items():
            hold.remaining[side] = hold.remaining.get(side, 0) - amount
            if hold.remaining[side] < 0:
                self.found(f"hold {hold.position} has less than {amount} left of {side}")
        nothing_left = not any(hold.remaining.values())
        if self.kind == "expiry":
            self._expiry(hold, nothing_left=nothing_left)
        elif self.kind == "release":
            hold.status = "released" if nothing_left else "open"
        else:
            self._capture(hold, nothing_left=nothing_left)
        hold.note(self.position)

    def _expiry(self, hold: Hold, *, nothing_left: bool) -> None:
        if hold.expires_at_us is None or hold.expires_at_us > self.record["recorded_at_us"]:
            self.found(f"hold {hold.position} had not expired")
        if not nothing_left:
            self.found(f"hold {hold.position} keeps something")
        hold.status = "expired"

    def _capture(self, hold: Hold, *, nothing_left: bool) -> None:
        taken = self._sides(CAPTURE + POST)
        hold.captured += sum(amount for (_, debit), amount in taken.items() if debit)
        if hold.captured > hold.limit:
            self.found(f"hold {hold.position} is captured to {hold.captured} of {hold.limit}")
        if self.record.get("final") and not nothing_left:
            self.found(f"hold {hold.position} keeps something after its final capture")
        used_up = hold.limit == hold.held or hold.captured >= hold.limit
        if self.record.get("final") or (nothing_left and used_up):
            hold.status = "captured"

    def _reversal(self) -> None:
        left = self.log.posted.get(self.record["parent"])
        if left is None:
            self.found("what it reverses was not posted")
            return
        for (address, debit), amount in self._sides(POST).items():
            mirrored = (address, 1 - debit)
            left[mirrored] = left.get(mirrored, 0) - amount
            if left[mirrored] < 0:
                self.found(f"it reverses more than was left of {mirrored}")


def balance(account: Mapping[str, Any], totals: Totals) -> int:
    """The posted balance on the side on which the account grows."""
    difference = totals[0] - totals[1]
    return difference if account["account_class"] in _DEBIT_NORMAL else -difference


def available(account: Mapping[str, Any], totals: Totals) -> int:
    """The balance less what is reserved to flow out."""
    pending = totals[3] if account["account_class"] in _DEBIT_NORMAL else totals[2]
    return balance(account, totals) - pending


def _check_pending(log: Log) -> None:
    """Pending totals are the sum of open holds."""
    reserved: Counter[Side] = Counter()
    for hold in log.holds.values():
        if hold.status == "open":
            reserved.update(hold.remaining)
    for address, history in log.totals.items():
        pending = history[-1][1][2:]
        if pending != (reserved[address, 1], reserved[address, 0]):
            log.findings.append(f"{address}: {pending} is pending, not its open holds")


def _check_batches(log: Log) -> None:
    """A batch has its records behind it; nothing else but an expiry is without a key."""
    expected = 0
    for record in log.records:
        keyless = record.get("key") is None
        expiry = record["kind"] == "expiry"
        if expected and (not keyless or expiry):
            log.findings.append(f"position {record['position']}: it stands in a batch")
        if not expected and keyless and not expiry:
            log.findings.append(f"position {record['position']}: nobody asked for it")
        expected = record["commands"] if record["kind"] == "batch" else max(0, expected - 1)
    if expected:
        log.findings.append("the log ends within a batch")
