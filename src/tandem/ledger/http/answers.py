"""Answers: the interface's types as JSON, refusals as RFC 9457 problems."""

from typing import Any, Final

from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from tandem.ledger import api
from tandem.ledger.core.refusals import HTTP_STATUS, Refusal, RefusalCode, Refused
from tandem.ledger.storage.port import StorageError
from tandem.platform.http import problem

REPLAYED_HEADER: Final = "Idempotency-Replayed"
RETRY_AFTER_S: Final = "1"
_TRANSIENT: Final = (RefusalCode.OVERLOADED, RefusalCode.UNAVAILABLE)

_ADAPTERS: Final[dict[type[Any], TypeAdapter[Any]]] = {
    kind: TypeAdapter(kind)
    for kind in (
        api.Record,
        api.Account,
        api.AccountBalance,
        api.Hold,
        api.AccountPage,
        api.RecordPage,
        api.Statement,
        api.TrialBalance,
        api.Verification,
        api.InclusionProof,
        api.ConsistencyProof,
        api.BalanceProof,
    )
}
_RECEIPTS: Final = TypeAdapter(list[api.Receipt])


def answer(value: Any, status: int = 200) -> Response:
    """Write a value of the interface."""
    body = _ADAPTERS[type(value)].dump_json(value, exclude_none=True)
    return Response(body, status, media_type="application/json")


def written(record: api.Record) -> Response:
    """Write the record that a command made: the same bytes for ever, a replay marked beside."""
    # `replayed` is about this answer, not about the record, so it is a header.
    body = _ADAPTERS[api.Record].dump_json(record, exclude_none=True, exclude={"replayed"})
    headers = {REPLAYED_HEADER: "true"} if record.replayed else None
    return Response(body, 201, headers, "application/json")


def receipts(values: list[api.Receipt]) -> Response:
    """Write the receipts of a batch."""
    body = _RECEIPTS.dump_json(values, exclude_none=True)
    return Response(b'{"receipts":' + body + b"}", 200, media_type="application/json")


def refused(refusal: Refusal, *, replayed: bool = False) -> Response:
    """Write a refusal."""
    headers = {REPLAYED_HEADER: "true"} if replayed else {}
    if refusal.code in _TRANSIENT:
        headers["Retry-After"] = RETRY_AFTER_S
    available = refusal.available_minor
    return problem(
        HTTP_STATUS[refusal.code],
        refusal.code.value,
        refusal.code.value.replace("_", " ").capitalize(),
        refusal.detail,
        headers=headers,
        field=refusal.field,
        index=refusal.index,
        available_minor=None if available is None else str(available),
        hold_status=refusal.hold_status,
    )


def answer_refused(_request: Request, error: Exception) -> Response:
    """Handle `Refused` for the whole application."""
    assert isinstance(error, Refused)
    return refused(error.refusal, replayed=error.replayed)


def answer_storage_error(_request: Request, error: Exception) -> Response:
    """Handle a store that cannot be read."""
    assert isinstance(error, StorageError)
    return refused(Refusal(RefusalCode.UNAVAILABLE, "the ledger's database cannot be reached"))
