"""Routes under `/v1/ledgers`. Each one reads a body, asks the ledger, and writes the answer."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query
from pydantic import BaseModel, ConfigDict, model_validator
from starlette.responses import JSONResponse, Response

from tandem.ledger import api
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE
from tandem.ledger.core.refusals import Refused
from tandem.ledger.http import answers, bodies, feed, queries
from tandem.ledger.http.answers import answer, written
from tandem.ledger.http.batches import may_override, submit
from tandem.ledger.http.log_routes import add_log
from tandem.ledger.http.webhooks import add_webhooks
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.port import StorageError
from tandem.platform.auth import Principal, Require
from tandem.platform.http import Problem

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", description="The same key gives the first outcome again."),
]
Position = Annotated[int, Path(description="A position of the log.")]
_CREATED: Final[dict[str, Any]] = {"status_code": 201, "response_model": api.Record}
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem} for status in (400, 401, 403, 404, 409, 413, 422, 429, 503)
}


class _Filter(BaseModel):
    """Query parameters; an unknown one is refused, never ignored."""

    model_config = ConfigDict(extra="forbid")


class _MetadataFilter(_Filter):
    """Query parameters beside which `metadata[key]=value` stands any number of times."""

    @model_validator(mode="before")
    @classmethod
    def _leave_metadata(cls, given: Any) -> Any:
        return queries.without_metadata(given)


class AccountFilter(_MetadataFilter):
    """Which accounts to list; `metadata[key]=value` is read beside these."""

    prefix: str = ""
    asset: str | None = None
    account_class: str | None = None
    status: str | None = None
    cursor: str | None = None
    limit: int = DEFAULT_PAGE_SIZE


class RecordFilter(_MetadataFilter):
    """Which records to list; `metadata[key]=value` is read beside these.

    `after` and `wait_ms` make it the change feed, which has no filter.
    """

    account: str | None = None
    account_prefix: str | None = None
    kind: str | None = None
    reference: str | None = None
    recorded_from: bodies.Time | None = None
    recorded_until: bodies.Time | None = None
    newest_first: bool = False
    cursor: str | None = None
    limit: int = DEFAULT_PAGE_SIZE
    after: int | None = None
    wait_ms: int | None = None


class BalanceAt(_Filter):
    """Up to when to know the log (neither: now), and as of which effective time."""

    at_position: int | None = None
    at_time: bodies.Time | None = None
    effective_at: bodies.Time | None = None


class StatementOf(_Filter):
    """Which part of a statement to read, and ordered by which time."""

    by: str = "effective"
    from_time: bodies.Time | None = None
    until_time: bodies.Time | None = None
    at_position: int | None = None
    cursor: str | None = None
    limit: int = DEFAULT_PAGE_SIZE


def create_router(service: LedgerService, require: Require) -> APIRouter:
    """Make the routes. `require(permission)` guards them; install the handlers with `install`."""
    router = APIRouter(prefix="/v1/ledgers", tags=["ledger"], responses=_PROBLEMS)
    _add_ledgers(router, service, require)

    async def ledger(ledger: str) -> LocalLedger:
        return await service.ledger(ledger)

    one = APIRouter(prefix="/{ledger}")
    _add_writes(one, require, ledger)
    _add_periods(one, require, ledger)
    _add_holds(one, require, ledger)
    _add_batches(one, require, ledger)
    slots = feed.Slots()
    feed.add_stream(one, require, ledger, slots)
    _add_records(one, require, ledger, slots)
    _add_reads(one, require, ledger)
    _add_balances(one, require, ledger)
    add_log(one, require, ledger)
    add_webhooks(one, require, ledger)
    router.include_router(one)
    return router


def install(app: FastAPI) -> None:
    """Answer refusals and storage errors as problems."""
    app.add_exception_handler(Refused, answers.answer_refused)
    app.add_exception_handler(StorageError, answers.answer_storage_error)


def _add_ledgers(router: APIRouter, service: LedgerService, require: Require) -> None:
    @router.post("", status_code=201, dependencies=[Depends(require("admin"))])
    async def create_ledger(body: bodies.LedgerBody) -> Response:
        """Make a ledger; making it again changes nothing."""
        ledger = await service.create_ledger(body.name)
        return JSONResponse({"name": ledger.name}, 201)

    @router.get("", dependencies=[Depends(require("read"))])
    async def list_ledgers(_chosen: Annotated[_Filter, Query()]) -> Response:
        """List the ledgers by name."""
        return JSONResponse({"items": [{"name": name} for name in await service.names()]})


async def _run(ledger: LocalLedger, body: Any, key: str | None) -> Response:
    return written(await ledger.execute(body.command(key)))


def _add_writes(router: APIRouter, require: Require, ledger: Any) -> None:
    guarded = [Depends(require("write"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.post("/accounts", dependencies=guarded, **_CREATED)
    async def open_account(
        ledger: Ledger, body: bodies.OpenAccountBody, key: Key = None
    ) -> Response:
        """Open an account."""
        return await _run(ledger, body, key)

    @router.patch("/accounts/{address}", dependencies=guarded, **_CREATED)
    async def update_account(
        ledger: Ledger, address: str, body: bodies.AccountChanges, key: Key = None
    ) -> Response:
        """Freeze, reopen, close or re-limit an account."""
        whole = bodies.UpdateAccountBody(address=address, **dict(body))
        return await _run(ledger, whole, key)

    @router.post("/transfers", dependencies=guarded, **_CREATED)
    async def transfer(ledger: Ledger, body: bodies.TransferBody, key: Key = None) -> Response:
        """Post a two-entry transaction."""
        return await _run(ledger, body, key)

    @router.post("/transactions", dependencies=guarded, **_CREATED)
    async def post_transaction(
        ledger: Ledger, body: bodies.TransactionBody, key: Key = None
    ) -> Response:
        """Post a transaction."""
        return await _run(ledger, body, key)


def _add_periods(router: APIRouter, require: Require, ledger: Any) -> None:
    @router.post("/periods", dependencies=[Depends(require("admin"))], **_CREATED)
    async def close_period(
        ledger: Annotated[LocalLedger, Depends(ledger)],
        body: bodies.ClosePeriodBody,
        key: Key = None,
    ) -> Response:
        """Let nothing more take effect at or before a time."""
        return await _run(ledger, body, key)


def _add_holds(router: APIRouter, require: Require, ledger: Any) -> None:
    guarded = [Depends(require("write"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.post("/holds", dependencies=guarded, **_CREATED)
    async def hold(ledger: Ledger, body: bodies.HoldBody, key: Key = None) -> Response:
        """Reserve a transaction."""
        return await _run(ledger, body, key)

    @router.post("/holds/{position}/captures", dependencies=guarded, **_CREATED)
    async def capture(
        ledger: Ledger, position: Position, body: bodies.CaptureChanges, key: Key = None
    ) -> Response:
        """Post what a hold reserves."""
        return await _run(
            ledger, bodies.CaptureBody.model_construct(hold=position, **dict(body)), key
        )

    @router.post("/holds/{position}/releases", dependencies=guarded, **_CREATED)
    async def release(
        ledger: Ledger, position: Position, body: bodies.PartBody, key: Key = None
    ) -> Response:
        """Give back what a hold still reserves."""
        return await _run(ledger, bodies.ReleaseBody(hold=position, **dict(body)), key)

    @router.post("/transactions/{position}/reversals", **_CREATED)
    async def reverse(
        principal: Annotated[Principal, Depends(require("write"))],
        ledger: Ledger,
        position: Position,
        body: bodies.ReversalChanges,
        key: Key = None,
    ) -> Response:
        """Mirror a posted transaction."""
        # The parts were read already, and a time reads from text only.
        command = bodies.ReversalBody.model_construct(transaction=position, **dict(body)).command(
            key
        )
        if body.override_limits:
            may_override(principal)
        return written(await ledger.execute(command))


def _add_batches(router: APIRouter, require: Require, ledger: Any) -> None:
    @router.post("/batches", response_model=dict[str, list[api.Receipt]])
    async def submit_batch(
        principal: Annotated[Principal, Depends(require("write"))],
        ledger: Annotated[LocalLedger, Depends(ledger)],
        body: bodies.BatchBody,
        key: Key = None,
    ) -> Response:
        """Submit several commands, atomic or independent."""
        return await submit(ledger, principal, body, key)


def _add_reads(router: APIRouter, require: Require, ledger: Any) -> None:
    guarded = [Depends(require("read"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get(
        "/accounts",
        dependencies=guarded,
        response_model=api.AccountPage,
        openapi_extra=queries.METADATA_PARAMETER,
    )
    async def list_accounts(
        ledger: Ledger, chosen: Annotated[AccountFilter, Query()], metadata: queries.Metadata
    ) -> Response:
        """List accounts by address."""
        return answer(await ledger.accounts(**dict(chosen), metadata=metadata))

    @router.get("/accounts/{address}", dependencies=guarded, response_model=api.Account)
    async def read_account(ledger: Ledger, address: str) -> Response:
        """Look an account up."""
        return answer(await ledger.account(address))

    @router.get("/records/{position}", dependencies=guarded, response_model=api.Record)
    async def read_record(ledger: Ledger, position: Position) -> Response:
        """Look a record up."""
        return answer(await ledger.transaction(position))

    @router.get("/holds/{position}", dependencies=guarded, response_model=api.Hold)
    async def read_hold(ledger: Ledger, position: Position) -> Response:
        """Where a hold stands now."""
        return answer(await ledger.hold_state(position))

    @router.get("/verification", dependencies=guarded, response_model=api.Verification)
    async def verify(ledger: Ledger) -> Response:
        """Recompute every invariant from the stored bytes. Reads the whole log."""
        return answer(await ledger.verify())


def _add_records(router: APIRouter, require: Require, ledger: Any, slots: feed.Slots) -> None:
    guarded = [Depends(require("read"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get(
        "/records",
        dependencies=guarded,
        response_model=api.RecordPage,
        openapi_extra=queries.METADATA_PARAMETER,
    )
    async def list_records(
        ledger: Ledger,
        chosen: Annotated[RecordFilter, Query()],
        metadata: queries.Metadata,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
        last_event_id: feed.LastEventId = None,
    ) -> Response:
        """List records in commit order; `after` is the change feed, `wait_ms` waits for more."""
        given = chosen.model_dump(exclude_unset=True, exclude_none=True)
        if metadata is not None:
            given["metadata"] = metadata
        asked = await feed.asked(ledger, given, accept, last_event_id, slots)
        filters = chosen.model_dump(exclude={"after", "wait_ms"})
        return asked or answer(await ledger.records(**filters, metadata=metadata))


def _add_balances(router: APIRouter, require: Require, ledger: Any) -> None:
    guarded = [Depends(require("read"))]
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get(
        "/accounts/{address}/balance", dependencies=guarded, response_model=api.AccountBalance
    )
    async def read_balance(
        ledger: Ledger, address: str, when: Annotated[BalanceAt, Query()]
    ) -> Response:
        """Balance now, at a position, at a past time, as of an effective time."""
        return answer(await ledger.balance(address, **dict(when)))

    @router.get("/accounts/{address}/statement", dependencies=guarded, response_model=api.Statement)
    async def read_statement(
        ledger: Ledger, address: str, chosen: Annotated[StatementOf, Query()]
    ) -> Response:
        """What was posted to an account in a period: opening, lines, closing."""
        return answer(await ledger.statement(address, **dict(chosen)))

    @router.get("/trial-balance", dependencies=guarded, response_model=api.TrialBalance)
    async def trial_balance(ledger: Ledger, when: Annotated[BalanceAt, Query()]) -> Response:
        """Sum every account per asset."""
        return answer(await ledger.trial_balance(**dict(when)))
