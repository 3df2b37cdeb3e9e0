"""An account as an audit knows it: what its records have said and done so far."""

from tandem.ledger.core.accounts import Account, AccountClass, AccountStatus
from tandem.ledger.core.kinds import Effect
from tandem.ledger.core.records import Balance, Record


class Digest:
    """An order-free digest of rows: how many, and the sum of their hashes.

    Python's own hash, keyed by the process, over texts that begin with a salt drawn afresh: nobody
    can have prepared other rows with the same sum.
    """

    __slots__ = ("count", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    def add(self, row: object) -> None:
        """Take a row in."""
        self.count += 1
        self.total += hash(row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Digest) and self._sums == other._sums

    def __hash__(self) -> int:
        return hash(self._sums)

    @property
    def _sums(self) -> tuple[int, int]:
        return self.count, self.total


class Books:
    """An account, its running totals, and digests of the rows that it has to have.

    `pending` are the two pending totals as they stand in records.
    """

    __slots__ = (
        "account", "asset", "credits", "debits", "displaced", "entries", "guarded", "number",
        "pending",
    )  # fmt: skip

    def __init__(self, account: Account) -> None:
        self.debits = 0
        self.credits = 0
        self.pending = "0,0"
        self.entries = Digest()
        self.displaced = Digest()
        self.change(account)

    def change(self, account: Account) -> None:
        """Take the account as a record leaves it."""
        self.account = account
        self.number = account.number
        self.asset = account.asset
        # Such accounts are looked at closely.
        self.guarded = account.limited or account.status is not AccountStatus.OPEN

    @property
    def opening(self) -> tuple[int, int, int, str, AccountClass]:
        """What never changes of an account."""
        one = self.account
        return one.number, one.opened_position, one.opened_at_us, one.asset, one.account_class

    @property
    def balance(self) -> Balance:
        """The four running totals."""
        pending_debits, _, pending_credits = self.pending.partition(",")
        return Balance(self.debits, self.credits, int(pending_debits), int(pending_credits))

    def set_balance(self, balance: Balance) -> None:
        """Take the four running totals."""
        self.debits, self.credits = balance.posted_debits, balance.posted_credits
        self.pending = f"{balance.pending_debits},{balance.pending_credits}"

    def may(self, record: Record) -> bool:
        """Tell whether the account's status lets a record move it.

        A frozen one gives up what was reserved before, by release or by capture; nothing else.
        """
        if self.account.status is AccountStatus.OPEN:
            return True
        if self.account.status is AccountStatus.CLOSED:
            return False
        side = self.account.debit_normal
        captured = Effect.CAPTURE_CREDIT if side else Effect.CAPTURE_DEBIT
        passing = (captured, Effect.RELEASE_DEBIT, Effect.RELEASE_CREDIT)
        own = [entry for entry in record.entries if entry.address == self.account.address]
        return all(entry.effect in passing for entry in own)

    def objection(self, before: Balance, balance: Balance) -> str | None:
        """Say which bound a record breaks, from the totals before and after it."""
        account, side = self.account, self.account.debit_normal
        low, high = account.min_balance_minor, account.max_balance_minor
        available = balance.available(debit_normal=side)
        if low is not None and available < min(low, before.available(debit_normal=side)):
            return "falls below its limit"
        posted = balance.posted(debit_normal=side)
        if high is not None and posted > max(high, before.posted(debit_normal=side)):
            return "passes its limit"
        return None
