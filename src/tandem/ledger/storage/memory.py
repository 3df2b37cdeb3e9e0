"""The memory store: the whole log in Python objects. It is the oracle that PostgreSQL is held to.

It keeps nothing but records and what the core folds from them, so a difference between the two
stores is a fault of one of the queries.
"""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from tandem.ledger.core.accounts import Account, parse_asset
from tandem.ledger.core.expiry import Due
from tandem.ledger.core.filters import (
    AccountFilter,
    RecordFilter,
    Span,
    account_matches,
    matches,
    terms,
)
from tandem.ledger.core.kinds import POSTING, RecordKind
from tandem.ledger.core.merkle import Tile
from tandem.ledger.core.parents import fold
from tandem.ledger.core.records import ZERO, Balance, Record
from tandem.ledger.storage.port import (
    AccountAnnotation,
    AccountSlice,
    Annotation,
    Append,
    AssetTotals,
    BalanceRow,
    Conflict,
    Displaced,
    DuplicateKey,
    EntryLines,
    Head,
    Loaded,
    LockedHead,
    RecordSlice,
    StatementRow,
    StatementSpan,
    StoredEntry,
    StoredRecord,
    Window,
)
from tandem.ledger.storage.rows import KIND_CODES
from tandem.ledger.storage.webhooks import MemoryWebhooks


class _Log:
    """One ledger's log and its foldings."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.lock = asyncio.Lock()
        self.records: list[Record] = []
        self.bodies: list[str] = []
        self.keys: dict[str, Record] = {}
        self.accounts: dict[str, Account] = {}
        self.entries: dict[str, list[StoredEntry]] = {}
        self.tiles: list[Tile] = []
        self.displaced: list[Displaced] = []

    def append(self, write: Append) -> None:
        head = self.head
        if head.position != write.before.position:
            raise Conflict("another writer moved the head")
        if head.recorded_at_us >= write.records[0].recorded_at_us:
            raise Conflict("the time was closed")
        if any(record.key in self.keys for record in write.records if record.key is not None):
            raise DuplicateKey("a key is in the log")
        for record, body in zip(write.records, write.bodies, strict=True):
            self._take(record, body)
        self.tiles.extend(write.tiles)
        self.displaced.extend(write.displaced)
        self.head = write.after

    def scales(self) -> dict[str, int]:
        """Assets' codes and scales."""
        return dict(filter(None, (parse_asset(held.asset) for held in self.accounts.values())))

    def _take(self, record: Record, body: str) -> None:
        assert record.position == len(self.records) + 1
        self.records.append(record)
        self.bodies.append(body)
        if record.key is not None:
            self.keys[record.key] = record
        if record.account is not None:
            self.accounts[record.account.address] = record.account
            self.entries.setdefault(record.account.address, [])
        for leg, (address, effect, amount_minor, balance) in enumerate(record.entries):
            number = self.accounts[address].number
            self.entries[address].append(
                StoredEntry(number, record.position, leg, int(effect), amount_minor, balance)
            )

    def chain(self, position: int) -> list[Record]:
        """A parent's record and its children's."""
        if not 0 < position <= len(self.records):
            return []
        children = [record for record in self.records if record.parent == position]
        return [self.records[position - 1], *children]

    def latest(self, address: str, position: int) -> Balance:
        """An account's totals at a position."""
        entries = self.entries[address]
        index = bisect_right(entries, position, key=lambda entry: entry.position)
        return entries[index - 1].balance if index else ZERO

    def expired_unwritten(self, position: int, now_us: int) -> list[int]:
        """Holds up to a position that expired by a time and were not ended by that position."""
        seen = self.records[:position]
        found = []
        for record in seen:
            if record.kind is RecordKind.HOLD and (record.expires_at_us or now_us + 1) <= now_us:
                chain = [other for other in seen if other.parent == record.position]
                hold = fold([record, *chain])
                if hold is not None and hold.open:
                    found.append(record.position)
        return found


class _Locked:
    def __init__(self, log: _Log) -> None:
        self._log = log
        self.head = log.head

    async def append(self, write: Append) -> None:
        """Write at once; nobody else can look before the context ends."""
        self._log.append(write)


class MemoryStore:
    """Ledgers in memory. `now_us` is its clock."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._logs: dict[str, _Log] = {}
        self._now_us = now_us
        self.webhooks = MemoryWebhooks(
            lambda: ((log.head.ledger_id, log.head.position) for log in self._logs.values())
        )

    def _log(self, ledger_id: int) -> _Log:
        return next(log for log in self._logs.values() if log.head.ledger_id == ledger_id)

    async def create(self, name: str) -> Head:
        """Make a ledger, or return the one of that name."""
        if name not in self._logs:
            self._logs[name] = _Log(Head(len(self._logs) + 1, name, 0, 0, 1, b""))
        return self._logs[name].head

    async def heads(self) -> Sequence[Head]:
        """Every ledger, by name."""
        return [self._logs[name].head for name in sorted(self._logs)]

    async def head(self, name: str) -> Head | None:
        """The head of a ledger, or None where there is none of that name."""
        log = self._logs.get(name)
        return None if log is None else log.head

    async def clock_us(self) -> int:
        """The store's own clock."""
        return self._now_us()

    async def append(self, write: Append) -> None:
        """Write if the head is still `write.before`."""
        log = self._log(write.before.ledger_id)
        async with log.lock:
            log.append(write)

    @asynccontextmanager
    async def _locked(self, name: str) -> AsyncIterator[LockedHead]:
        log = self._logs[name]
        async with log.lock:
            yield _Locked(log)

    def locked(self, name: str) -> AbstractAsyncContextManager[LockedHead]:
        """Lock the head until the context ends."""
        return self._locked(name)

    async def load(
        self,
        ledger_id: int,
        addresses: Sequence[str],
        parents: Sequence[int],
        assets: Sequence[str],
    ) -> Loaded:
        """Load what decisions need."""
        log = self._log(ledger_id)
        known = [address for address in addresses if address in log.accounts]
        scales = log.scales()
        return Loaded(
            {address: log.accounts[address] for address in known},
            {address: log.latest(address, log.head.position) for address in known},
            {parent: chain for parent in parents if (chain := log.chain(parent))},
            {code: scale for code, scale in scales.items() if code in assets},
        )

    async def by_keys(self, ledger_id: int, keys: Sequence[str]) -> Sequence[Record]:
        """The records that carry these keys."""
        log = self._log(ledger_id)
        return [log.keys[key] for key in keys if key in log.keys]

    async def bodies(self, ledger_id: int, after: int, limit: int) -> Sequence[str]:
        """Canonical texts after a position, in order."""
        return self._log(ledger_id).bodies[after : after + limit]

    async def tiles(
        self, ledger_id: int, level: int, first_index: int, limit: int
    ) -> Sequence[bytes]:
        """Full tiles of a level from an index on, in order."""
        return [
            tile.hashes
            for tile in self._log(ledger_id).tiles
            if tile.level == level and tile.tile_index >= first_index
        ][:limit]

    async def last_entry(
        self, ledger_id: int, account_number: int, position: int
    ) -> tuple[int, int] | None:
        """Position and leg of an account's last entry up to a position; None without one."""
        found = [
            (entry.position, entry.leg)
            for entries in self._log(ledger_id).entries.values()
            for entry in entries
            if entry.account_number == account_number and entry.position <= position
        ]
        return max(found, default=None)

    async def expiring(self, ledger_id: int, beyond: Due, limit: int) -> Sequence[Due]:
        """Open holds that expire, in order beyond one, the earliest first."""
        log = self._log(ledger_id)
        holds = (fold(log.chain(record.position)) for record in log.records)
        due = sorted(
            Due(hold.expires_at_us, hold.position)
            for hold in holds
            if hold is not None and hold.open and hold.expires_at_us is not None
        )
        return due[bisect_right(due, beyond) :][:limit]

    async def close_time(self, ledger_id: int, time_us: int) -> None:
        """See to it that no later record is recorded at or before a time."""
        log = self._log(ledger_id)
        async with log.lock:
            latest = max(log.head.recorded_at_us, time_us)
            log.head = log.head._replace(recorded_at_us=latest)

    async def position_at(self, ledger_id: int, time_us: int) -> int:
        """The position of the last record at or before a time, 0 where there is none."""
        records = self._log(ledger_id).records
        return bisect_right(records, time_us, key=lambda record: record.recorded_at_us)

    async def balance(
        self, ledger_id: int, address: str, position: int | None, now_us: int | None
    ) -> BalanceRow | None:
        """An account's totals as of a position (None: the last); None without that account."""
        log = self._log(ledger_id)
        at = log.head.position if position is None else position
        account = log.accounts.get(address)
        if account is None or account.opened_position > at or at > len(log.records):
            return None
        recorded_at_us = log.records[at - 1].recorded_at_us
        unswept = log.expired_unwritten(at, recorded_at_us if now_us is None else now_us)
        return BalanceRow(account, at, recorded_at_us, log.latest(address, at), unswept)

    async def account(self, ledger_id: int, address: str) -> Account | None:
        """An account as it stands."""
        return self._log(ledger_id).accounts.get(address)

    async def accounts(
        self, ledger_id: int, chosen: AccountFilter, after: str, limit: int
    ) -> AccountSlice:
        """Accounts that match, by address, after an address."""
        accounts = self._log(ledger_id).accounts
        found = [
            accounts[address]
            for address in sorted(accounts)
            if address > after and account_matches(accounts[address], chosen)
        ]
        return AccountSlice(found[:limit], found[limit - 1].address if found[limit:] else None)

    async def records(
        self, ledger_id: int, chosen: RecordFilter, span: Span, limit: int
    ) -> RecordSlice:
        """Records that match, in the order of the span."""
        seen = self._log(ledger_id).records[span.first - 1 : max(0, span.last)]
        found = [record for record in seen if matches(record, chosen)]
        if span.newest_first:
            found.reverse()
        return RecordSlice(found[:limit], found[limit - 1].position if found[limit:] else None)

    async def totals(self, ledger_id: int, position: int | None) -> tuple[int, list[AssetTotals]]:
        """Sums per asset as of a position (None: the last), and that position."""
        log = self._log(ledger_id)
        at = log.head.position if position is None else position
        sums: dict[str, AssetTotals] = {}
        for account in log.accounts.values():
            if account.opened_position > at:
                continue
            so_far = sums.get(account.asset, AssetTotals(account.asset, 0, ZERO))
            balance = log.latest(account.address, at)
            total = Balance(*(a + b for a, b in zip(so_far.totals, balance, strict=True)))
            sums[account.asset] = AssetTotals(account.asset, so_far.accounts + 1, total)
        return at, [sums[asset] for asset in sorted(sums)]

    async def displacement(self, ledger_id: int, address: str, window: Window) -> tuple[int, int]:
        """What displaced entries add to an account's posted debits and credits at `middle`."""
        log = self._log(ledger_id)
        number = log.accounts[address].number
        return _sums((row for row in log.displaced if row.account_number == number), window)

    async def displaced_totals(
        self, ledger_id: int, window: Window
    ) -> Mapping[str, tuple[int, int]]:
        """The same for all accounts, per asset; an asset without any is absent."""
        log = self._log(ledger_id)
        assets = {account.number: account.asset for account in log.accounts.values()}
        by_asset: dict[str, list[Displaced]] = {}
        for row in log.displaced:
            by_asset.setdefault(assets[row.account_number], []).append(row)
        return {asset: _sums(rows, window) for asset, rows in by_asset.items()}

    async def statement(
        self,
        ledger_id: int,
        address: str,
        span: StatementSpan,
        after: tuple[int, int, int],
        limit: int,
    ) -> Sequence[StatementRow]:
        """Posted entries of an account after a place, in order of effective time or position."""
        log = self._log(ledger_id)
        rows: list[StatementRow] = []
        for entry in log.entries[address]:
            record = log.records[entry.position - 1]
            effective_us = record.effective_us
            if span.by_effective:
                inside = span.from_us <= effective_us < span.until_us
                inside = inside and entry.position <= span.known
            else:
                inside = span.first < entry.position <= span.last
            if inside and entry.effect in POSTING:
                rows.append(
                    StatementRow(
                        effective_us,
                        entry.position,
                        entry.leg,
                        KIND_CODES[record.kind],
                        record.recorded_at_us,
                        entry.effect,
                        entry.amount_minor,
                    )
                )
        if span.by_effective:
            return sorted(row for row in rows if row[:3] > after)[:limit]
        return [row for row in rows if row[1:3] > after[1:]][:limit]

    async def stored_displaced(
        self, ledger_id: int, after: tuple[int, int, int], limit: int
    ) -> Sequence[Displaced]:
        """Displaced rows in order of account, position and leg, for verification."""
        return [row for row in sorted(self._log(ledger_id).displaced) if row[:3] > after][:limit]

    async def stored_records(
        self, ledger_id: int, after: int, limit: int
    ) -> Sequence[StoredRecord]:
        """Records with their columns, in order, for verification."""
        log, after = self._log(ledger_id), max(after, 0)
        return [
            StoredRecord(
                record.position,
                record.recorded_at_us,
                KIND_CODES[record.kind],
                record.key,
                record.parent,
                record.expires_at_us,
                body,
            )
            for record, body in zip(
                log.records[after : after + limit], log.bodies[after : after + limit], strict=True
            )
        ]

    async def stored_entries(
        self, ledger_id: int, after: tuple[int, int, int], limit: int
    ) -> Sequence[StoredEntry]:
        """Entry rows in order of account, position and leg, for verification."""
        log = self._log(ledger_id)
        rows = sorted(entry for entries in log.entries.values() for entry in entries)
        return [entry for entry in rows if entry[:3] > after][:limit]

    async def entry_lines(
        self, ledger_id: int, after: tuple[int, int, int], limit: int, *, salt: str, position: int
    ) -> EntryLines:
        """The next entry rows in order of account, position and leg, for verification."""
        page = await self.stored_entries(ledger_id, after, limit)
        accounts: dict[int, list[str]] = {}
        for number, at, leg, effect, amount_minor, balance in page:
            if at <= position:
                line = ",".join(map(str, (salt, at, leg, effect, amount_minor, *balance)))
                accounts.setdefault(number, []).append(line)
        highest = max((row.position for row in page), default=0)
        return EntryLines([*accounts.items()], page[-1][:3] if page else None, highest)

    async def stored_tiles(
        self, ledger_id: int, after: tuple[int, int], limit: int
    ) -> Sequence[Tile]:
        """Full tiles in order of level and index, for verification."""
        return [tile for tile in sorted(self._log(ledger_id).tiles) if tile[:2] > after][:limit]

    async def stored_assets(
        self, ledger_id: int, after: str, limit: int
    ) -> Sequence[tuple[str, int]]:
        """Assets' codes and scales in order of code, for verification."""
        scales = sorted(self._log(ledger_id).scales().items())
        return [one for one in scales if one[0] > after][:limit]

    async def stored_annotations(
        self, ledger_id: int, after: Annotation, limit: int
    ) -> Sequence[Annotation]:
        """Annotations in order of term and position, for verification."""
        rows = sorted(
            Annotation(term, record.position)
            for record in self._log(ledger_id).records
            for term in terms(record.reference, record.metadata)
        )
        return rows[bisect_right(rows, after) :][:limit]

    async def stored_account_annotations(
        self, ledger_id: int, after: AccountAnnotation, limit: int
    ) -> Sequence[AccountAnnotation]:
        """Annotations of accounts in order of term and address, for verification."""
        first: dict[tuple[str, str], int] = {}
        for record in self._log(ledger_id).records:
            if record.account is not None:
                for term in terms(None, record.account.metadata):
                    first.setdefault((term, record.account.address), record.position)
        rows = sorted(AccountAnnotation(*key, position) for key, position in first.items())
        return [row for row in rows if row[:2] > after[:2]][:limit]


def _sums(rows: Iterable[Displaced], window: Window) -> tuple[int, int]:
    sums = [0, 0]
    for row in rows:
        late = row.position > window.middle
        if row.position <= window.known and late == (row.effective_at_us <= window.effective_us):
            sums[row.effect % 2 == 0] += row.amount_minor if late else -row.amount_minor
    return sums[0], sums[1]
