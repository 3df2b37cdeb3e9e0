"""Listings: pages of records and accounts, and the cursors between them.

A cursor is opaque and belongs to one listing with one filter in one order. It names the last item
that was looked at, so a walk skips and repeats nothing while others write. A page may have fewer
items than asked for and go on all the same: what one page looks at is bounded.
"""

import re
from datetime import datetime
from typing import Final, Literal

from tandem.ledger import api, cursors
from tandem.ledger.core import intake
from tandem.ledger.core.filters import (
    AccountFilter,
    RecordFilter,
    digest,
)
from tandem.ledger.core.limits import MAX_PAGE_SIZE
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.reader import Reader
from tandem.ledger.times import to_us
from tandem.ledger.views import account_view, record_view

_POSITION: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_VERSION: Final = "1"

type _Listing = Literal["a", "r"]


class Listings:
    """The listings of one ledger."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def accounts(
        self,
        chosen: AccountFilter,
        cursor: object,
        limit: object,
    ) -> api.AccountPage:
        """List accounts by address."""
        bound = digest(chosen)
        size = page_size(limit)
        after = ""
        if cursor is not None:
            after = intake.address(_opened(cursor, "a", bound), "cursor")
        found, stopped = await self._reader.accounts(chosen, after, size + 1)
        if len(found) > size:
            stopped = found[size - 1].address
        following = None if stopped is None else _sealed("a", bound, stopped)
        return api.AccountPage(tuple(map(account_view, found[:size])), following)

    async def records(
        self,
        chosen: RecordFilter,
        recorded_from: datetime | None,
        recorded_until: datetime | None,
        newest_first: object,
        cursor: object,
        limit: object,
    ) -> api.RecordPage:
        """List records by position, from either end."""
        from_us = None if recorded_from is None else to_us(recorded_from, "recorded_from")
        until_us = None if recorded_until is None else to_us(recorded_until, "recorded_until")
        if from_us is not None and until_us is not None and from_us > until_us:
            detail = "recorded_from is after recorded_until"
            raise Refused(Refusal(RefusalCode.MALFORMED, detail, "recorded_until"))
        if not isinstance(newest_first, bool):
            detail = "newest_first is true or false"
            raise Refused(Refusal(RefusalCode.MALFORMED, detail, "newest_first"))
        bound = digest((*chosen, from_us, until_us, newest_first))
        size = page_size(limit)
        past = None if cursor is None else _position(_opened(cursor, "r", bound))
        span = await self._reader.span(from_us, until_us)
        span = span._replace(newest_first=newest_first)
        if past is not None:
            span = span.beyond(past)
        found, stopped = await self._reader.records(chosen, span, size + 1)
        if len(found) > size:
            stopped = found[size - 1].position
        following = None if stopped is None else _sealed("r", bound, str(stopped))
        return api.RecordPage(tuple(record_view(record) for record in found[:size]), following)


def page_size(limit: object) -> int:
    """Check how many items a page may have; raises `Refused`."""
    if isinstance(limit, int) and not isinstance(limit, bool) and 1 <= limit <= MAX_PAGE_SIZE:
        return limit
    detail = f"a page has 1 to {MAX_PAGE_SIZE} items"
    raise Refused(Refusal(RefusalCode.MALFORMED, detail, "limit"))


def _sealed(listing: _Listing, bound: str, value: str) -> str:
    return cursors.sealed(f"{_VERSION}{listing}{bound}{value}")


def _opened(cursor: object, listing: _Listing, bound: str) -> str:
    text = cursors.opened(cursor)
    start = f"{_VERSION}{listing}"
    if text is None or not text.startswith(start):
        raise _no_cursor()
    if not text.startswith(bound, len(start)):
        detail = "the cursor belongs to another filter or order"
        raise Refused(Refusal(RefusalCode.MALFORMED, detail, "cursor"))
    return text[len(start) + len(bound) :]


def _position(text: str) -> int:
    if _POSITION.fullmatch(text):
        return int(text)
    raise _no_cursor()


def _no_cursor() -> Refused:
    return Refused(Refusal(RefusalCode.MALFORMED, "not a cursor of this listing", "cursor"))
