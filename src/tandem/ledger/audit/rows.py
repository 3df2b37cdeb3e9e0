"""The rows of a store, held to what a walk over its records found. Rows after the head are not.

Entries are compared by a digest of lines that the database writes, an account's at a time;
everything else is few, and compared row by row.
"""

from collections.abc import Mapping
from typing import Final

from tandem.ledger.audit.books import Books, Digest
from tandem.ledger.audit.log import LogWalk
from tandem.ledger.core.accounts import Account, parse_asset
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.filters import AccountFilter
from tandem.ledger.core.merkle import HASH_BYTES, TILE_HASHES, leaf_hash
from tandem.ledger.storage.port import Head, LedgerStore

PAGE_ROWS: Final = 2_000
LINES_PER_PAGE: Final = 10_000
TILES_PER_PAGE: Final = 64
# Before every row, also such as nobody should have written.
BEFORE_ALL: Final = (-(2**63), -(2**63), -1)


class Rows:
    """Reads rows and reports where they differ. `highest` is the highest position by table."""

    def __init__(self, store: LedgerStore, head: Head, walk: LogWalk, salt: str) -> None:
        self._store = store
        self._head = head
        self._walk = walk
        self._salt = salt
        self._digests: dict[int, Digest] = {}
        self.highest: dict[str, int] = {}

    def _seen(self, table: str, position: int) -> bool:
        """Note a row's position; tell whether it is one to compare."""
        self.highest[table] = max(self.highest.get(table, 0), position)
        return position <= self._head.position

    async def read_entries(self) -> None:
        """Digest the entry rows; this needs no walk, and can go on beside it."""
        after = BEFORE_ALL
        while True:
            page = await self._store.entry_lines(
                self._head.ledger_id,
                after,
                LINES_PER_PAGE,
                salt=self._salt,
                position=self._head.position,
            )
            if page.last is None:
                return
            self._seen("entry", page.highest)
            for number, lines in page.accounts:
                digest = self._digests.setdefault(number, Digest())
                digest.count += len(lines)
                digest.total += sum(map(hash, lines))
            after = page.last

    def differing_entries(self) -> list[str | int]:
        """Accounts whose entry rows are not those of the records; by number where none is known."""
        expected = {books.account.number: books for books in self._walk.books.values()}
        return [
            expected[number].account.address if number in expected else number
            for number in sorted(expected.keys() | self._digests.keys())
            if self._digests.get(number, Digest()) != _entries_of(expected.get(number))
        ]

    async def check_displaced(self) -> None:
        """Compare what has another effective time."""
        held: dict[int, Digest] = {}
        after = BEFORE_ALL
        while page := await self._store.stored_displaced(self._head.ledger_id, after, PAGE_ROWS):
            for row in page:
                if self._seen("displaced", row.position):
                    held.setdefault(row.account_number, Digest()).add((self._salt, *row[1:]))
            after = page[-1][:3]
        for books in self._walk.books.values():
            if held.pop(books.account.number, Digest()) != books.displaced:
                self._fault(f"account {books.account.address}: its displaced rows differ")
        for number in held:
            self._fault(f"account number {number}: it has displaced rows, and no record")

    async def check_tiles(self) -> None:
        """Compare the tiles; where a lowest one differs, say which records it differs about."""
        expected = dict(self._walk.tree.tiles)
        after = (-1, -1)
        while page := await self._store.stored_tiles(self._head.ledger_id, after, TILES_PER_PAGE):
            for level, tile_index, hashes in page:
                last = (tile_index + 1) * TILE_HASHES ** (level + 1)
                if not self._seen("tile", last):
                    continue
                if not self._walk.tree.holds(expected.pop((level, tile_index), None), hashes):
                    await self._tell_tile(level, tile_index, hashes)
            after = page[-1][:2]
        for level, tile_index in expected:
            self._fault(f"tile {level}/{tile_index}: it is missing")

    async def _tell_tile(self, level: int, tile_index: int, hashes: bytes) -> None:
        first = tile_index * TILE_HASHES
        places: list[int] = []
        if level == 0:
            bodies = await self._store.bodies(self._head.ledger_id, first, TILE_HASHES)
            places = [
                first + at + 1
                for at, body in enumerate(bodies)
                if leaf_hash(body.encode()) != hashes[at * HASH_BYTES : (at + 1) * HASH_BYTES]
            ]
        if len(places) == 1:
            self._fault(f"position {places[0]}: tile 0/{tile_index} has another hash of its bytes")
        else:
            self._fault(f"tile {level}/{tile_index}: its hashes are not those of the records")

    async def check_accounts(self) -> None:
        """Compare the rows by which limits and status are judged, and the assets."""
        odd: set[str] = set()
        left = {address: books.account for address, books in self._walk.books.items()}
        address = ""
        while page := (
            await self._store.accounts(self._head.ledger_id, AccountFilter(), address, PAGE_ROWS)
        ).accounts:
            for account in page:
                known = self._seen("account", account.opened_position)
                if known and left.pop(account.address, None) != account:
                    odd.add(account.address)
            address = page[-1].address
        odd |= left.keys()
        strange = await self._strange_assets()
        if odd or strange:
            # Others may have changed or opened accounts while the log was walked.
            changed = await self._changed_after()
            odd -= changed.keys()
            strange -= {_code(account) for account in changed.values()}
        for address in sorted(odd):
            self._fault(f"account {address}: its row differs from the records")
        for code in sorted(strange):
            self._fault(f"asset {code}: its row differs from the records")

    async def _strange_assets(self) -> set[str]:
        """The codes of assets that are there without a record, or not as the records say."""
        expected = dict(
            filter(None, (parse_asset(books.account.asset) for books in self._walk.books.values()))
        )
        held: dict[str, int] = {}
        after = ""
        while page := await self._store.stored_assets(self._head.ledger_id, after, PAGE_ROWS):
            held.update(page)
            after = page[-1][0]
        codes = expected.keys() | held.keys()
        return {code for code in codes if expected.get(code) != held.get(code)}

    async def _changed_after(self) -> Mapping[str, Account]:
        changed: dict[str, Account] = {}
        position = self._head.position
        while page := await self._store.bodies(self._head.ledger_id, position, PAGE_ROWS):
            position += len(page)
            for record in map(decode, page):
                if record.account is not None:
                    changed[record.account.address] = record.account
        return changed

    async def check_strays(self) -> None:
        """Find rows that stand after everything that was ever written."""
        for stored in await self._store.stored_records(
            self._head.ledger_id, self._head.position, 1
        ):
            self._seen("record", stored.position)
        head = await self._store.head(self._head.name)
        assert head is not None
        for table, position in sorted(self.highest.items()):
            if position > head.position:
                self._fault(f"position {position}: a row of {table} stands after the head")

    def _fault(self, text: str) -> None:
        self._walk.faults.add(text)


def _entries_of(books: Books | None) -> Digest:
    return Digest() if books is None else books.entries


def _code(account: Account) -> str:
    asset = parse_asset(account.asset)
    return "" if asset is None else asset[0]
