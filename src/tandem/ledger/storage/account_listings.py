"""Statements of the listing of accounts; see `listings`. Pure: text and parameters."""

import json
from typing import Any, Final

from tandem.ledger.core.filters import AccountFilter, metadata_term
from tandem.ledger.storage.listings import Bounds, Statement
from tandem.ledger.storage.queries import query

# Before the first address, and after the last.
_LOWEST: Final = ""
_HIGHEST: Final = "~"

_COLUMNS: Final = ("asset", "account_class", "status")
_OF_COLUMN: Final = "ledger.account WHERE ledger_id = %(ledger_id)s AND {column} = %({column})s"
_OF_TERM: Final = (
    "ledger.account_annotation WHERE ledger_id = %(ledger_id)s AND term = %({name})s::uuid"
)
_PROBE: Final = (
    "CROSS JOIN LATERAL (SELECT address FROM {rows} AND address >= {start}"
    " AND address < %(before)s ORDER BY address LIMIT 1) AS list_{index}"
)
# An annotation says what the account had once.
_AS_IT_STANDS: Final = (
    "AND EXISTS (SELECT FROM ledger.account WHERE account.ledger_id = %(ledger_id)s"
    " AND account.address = {address} AND account.metadata::jsonb @> %(metadata)s::jsonb)"
)


def account_statement(
    ledger_id: int, chosen: AccountFilter, after: str, limit: int, bounds: Bounds
) -> Statement:
    """Put the statement of a page together: accounts after an address; under a prefix, if any.

    The account that is the prefix itself is not among them: others may stand between it and those
    under it (`a`, `a-b`, `a0`, `a:b`).
    """
    low, high = _LOWEST, _HIGHEST
    if chosen.prefix is not None:
        low, high = f"{chosen.prefix}:", f"{chosen.prefix};"  # ';' is ':' plus one
    parameters: dict[str, Any] = {"ledger_id": ledger_id, "limit": limit}
    parameters |= {"after": max(after, low), "before": high}
    lists = []
    for index, (key, value) in enumerate(chosen.metadata.items()):
        parameters[f"term_{index}"] = metadata_term(key, value)
        lists.append(_OF_TERM.format(name=f"term_{index}"))
    named = [column for column in _COLUMNS if getattr(chosen, column) is not None]
    parameters |= {column: str(getattr(chosen, column)) for column in named}
    if not lists and len(named) <= 1:
        filters = "".join(f"AND {column} = %({column})s" for column in named)
        return Statement("accounts", query("accounts").format(filters=filters), parameters)
    lists += [_OF_COLUMN.format(column=column) for column in named]
    parameters["steps"] = max(1, bounds.probes // (len(lists) + 1))
    if chosen.metadata:
        parameters["metadata"] = json.dumps(dict(chosen.metadata))
    text = _walk(lists, rechecked=bool(chosen.metadata))
    return Statement("accounts_walk", text, parameters)


def _walk(lists: list[str], *, rechecked: bool) -> str:
    probes, start = list[str](), "walk.from_address"
    for index, rows in enumerate(lists):
        probes.append(_PROBE.format(rows=rows, start=start, index=index))
        start = f"list_{index}.address"
    return query("accounts_walk").format(
        last=f"list_{len(lists) - 1}",
        probes="\n    ".join(probes),
        filters=_AS_IT_STANDS.format(address=start) if rechecked else "",
    )
