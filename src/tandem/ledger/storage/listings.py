"""Statements of the listings, put together from what a filter names. Pure: text and parameters.

An index gives positions in order for an account, for a kind (all but transactions, which are most
of the log), and for a term of a reference or metadata. What a page costs is bounded:

- nothing to look up: a stretch of the log (`list_window`);
- one list: read it in order (`list_one`); the accounts of a small prefix: merge theirs
  (`list_merged`);
- several lists: leap between them (`list_walk`), at most so many probes.

What has no list (transactions, a prefix of many accounts) is looked for in the records themselves.
A statement only names what its filter has, so that no plan has to allow for what is not asked.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tandem.ledger.core import limits
from tandem.ledger.core.filters import RecordFilter, Span, metadata_term, reference_term
from tandem.ledger.core.kinds import RecordKind
from tandem.ledger.storage.queries import query
from tandem.ledger.storage.rows import KIND_CODES

_UNLISTED: Final = RecordKind.TRANSACTION


class Bounds(NamedTuple):
    """How much one page may look at; tests make them small."""

    window_records: int = limits.MAX_LISTING_WINDOW_RECORDS
    probes: int = limits.MAX_LISTING_PROBES
    merged_accounts: int = limits.MAX_MERGED_ACCOUNTS
    probed_accounts: int = limits.MAX_PROBED_ACCOUNTS


class Numbers(NamedTuple):
    """Numbers of the accounts that a filter names.

    `below` are those under its prefix, None where it has none or they are too many to name.
    """

    account: int | None = None
    below: Sequence[int] | None = None


class Statement(NamedTuple):
    """SQL and its parameters. Rows are a position and a text; a walk's last may be another.

    `stretch` is what a window covers, None of the others.
    """

    name: str
    text: str
    parameters: dict[str, Any]
    stretch: Span | None = None


class _Order(NamedTuple):
    """What differs between oldest and newest first."""

    name: str
    onward: str
    start: str
    within: str


_OLDEST_FIRST: Final = _Order(
    "ASC", "+ 1", "%(first)s", "seq >= {start} AND seq <= %(last)s ORDER BY seq ASC LIMIT 1"
)
_NEWEST_FIRST: Final = _Order(
    "DESC", "- 1", "%(last)s", "seq <= {start} AND seq >= %(first)s ORDER BY seq DESC LIMIT 1"
)

# Rows of the lists, to which conditions on the position are added.
_OF_ACCOUNT: Final = "ledger.entry WHERE ledger_id = %(ledger_id)s AND account_no = %(number)s"
_OF_TERM: Final = "ledger.annotation WHERE ledger_id = %(ledger_id)s AND term = %({name})s::uuid"
# A literal: a partial index is not used for a kind that the plan does not know.
_OF_KIND: Final = "ledger.record WHERE ledger_id = %(ledger_id)s AND kind = {code}"
_OF_NUMBERED: Final = "ledger.entry WHERE ledger_id = %(ledger_id)s AND account_no = account.number"
_PROBE: Final = "CROSS JOIN LATERAL ({probe}) AS list_{index}"
_NEXT: Final = "SELECT seq FROM {rows} AND {within}"
_NEXT_BELOW: Final = (
    "SELECT one.seq FROM unnest(%(numbers)s::bigint[]) AS account(number)"
    " CROSS JOIN LATERAL ({probe}) AS one ORDER BY one.seq {order} LIMIT 1"
)

# What has no list is looked for in the record. In canonical text `["` begins an entry and nothing
# else: inside of a text the quotation mark has a backslash before it.
_IS_KIND: Final = " AND record.kind = {code}"
_IS_BELOW: Final = (
    " AND (strpos(record.body, %(below)s::text) > 0 OR strpos(record.body, %(itself)s::text) > 0)"
)
_AND_RECORD: Final = (
    "AND EXISTS (SELECT FROM ledger.record WHERE record.ledger_id = %(ledger_id)s"
    " AND record.seq = {seq}{filters})"
)


def record_statement(
    ledger_id: int,
    chosen: RecordFilter,
    numbers: Numbers,
    span: Span,
    limit: int,
    bounds: Bounds,
) -> Statement:
    """Put the statement of a page together."""
    parameters: dict[str, Any] = {"ledger_id": ledger_id, "limit": limit}
    parameters |= {"first": span.first, "last": span.last}
    lists = _lists(chosen, numbers.account, parameters)
    below = numbers.below
    filters = "" if chosen.kind is not _UNLISTED else _IS_KIND.format(code=KIND_CODES[_UNLISTED])
    order = _NEWEST_FIRST if span.newest_first else _OLDEST_FIRST
    if below is not None:
        parameters["numbers"] = list(below)
        if not lists and not filters:
            text = query("list_merged").format(order=order.name)
            return Statement("list_merged", text, parameters)
    probed = below is not None and len(below) <= bounds.probed_accounts
    if chosen.account_prefix is not None and not probed:
        filters += _IS_BELOW
        parameters["below"] = f'["{chosen.account_prefix}:'
        parameters["itself"] = f'["{chosen.account_prefix}"'
    if not lists and not probed:
        return _window(parameters, span, order, filters, bounds)
    if len(lists) == 1 and not filters and not probed:
        text = query("list_one").format(rows=lists[0], order=order.name)
        return Statement("list_one", text, parameters)
    probes = [_NEXT.format(rows=rows, within=order.within) for rows in lists]
    steps = bounds.probes // (len(lists) + 1)
    if below is not None and probed:
        one = _NEXT.format(rows=_OF_NUMBERED, within=order.within)
        probes.append(_NEXT_BELOW.replace("{probe}", one).replace("{order}", order.name))
        steps = bounds.probes // (len(lists) + len(below) + 1)
    parameters["steps"] = max(1, steps)
    return Statement("list_walk", _walk(probes, filters, order), parameters)


def _lists(chosen: RecordFilter, number: int | None, parameters: dict[str, Any]) -> list[str]:
    """The lists of a filter, those first that are short as a rule."""
    terms = [metadata_term(key, value) for key, value in chosen.metadata.items()]
    if chosen.reference is not None:
        terms.insert(0, reference_term(chosen.reference))
    lists = []
    for index, term in enumerate(terms):
        name = f"term_{index}"
        parameters[name] = term
        lists.append(_OF_TERM.format(name=name))
    if chosen.account is not None:
        assert number is not None
        parameters["number"] = number
        lists.append(_OF_ACCOUNT)
    if chosen.kind not in (None, _UNLISTED):
        lists.append(_OF_KIND.format(code=KIND_CODES[chosen.kind]))
    return lists


def _window(
    parameters: dict[str, Any], span: Span, order: _Order, filters: str, bounds: Bounds
) -> Statement:
    """Look through a stretch of the log; where every record is listed, it need not be bounded."""
    stretch = span
    if filters and span.newest_first:
        stretch = span._replace(first=max(span.first, span.last - bounds.window_records + 1))
    elif filters:
        stretch = span._replace(last=min(span.last, span.first + bounds.window_records - 1))
    parameters |= {"first": stretch.first, "last": stretch.last}
    text = query("list_window").format(filters=filters, order=order.name)
    return Statement("list_window", text, parameters, stretch)


def _walk(probes: Sequence[str], filters: str, order: _Order) -> str:
    """Leap between lists: each is asked from where the one before it stands."""
    joined, start = list[str](), "walk.from_seq"
    for index, probe in enumerate(probes):
        joined.append(_PROBE.format(probe=probe.replace("{start}", start), index=index))
        start = f"list_{index}.seq"
    return query("list_walk").format(
        start=order.start,
        onward=order.onward,
        last=f"list_{len(probes) - 1}",
        probes="\n    ".join(joined),
        filters=_AND_RECORD.format(seq=start, filters=filters) if filters else "",
    )
