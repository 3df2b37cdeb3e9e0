"""Routes under `/v1/ledgers/{ledger}/log`: the key, checkpoints, tiles and proofs."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict
from starlette.responses import PlainTextResponse, Response

from tandem.ledger import api
from tandem.ledger.core.limits import DEFAULT_PAGE_SIZE
from tandem.ledger.core.proofs import ProofError
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused
from tandem.ledger.core.tile_paths import TilePlace, parse_tile_level, parse_tile_path
from tandem.ledger.http.answers import answer
from tandem.ledger.local import LocalLedger
from tandem.platform.auth import Require

_BINARY: Final[dict[str, Any]] = {
    "response_class": Response,
    "responses": {
        200: {"content": {"application/octet-stream": {"schema": {"type": "string"}}}},
    },
}
_NDJSON: Final = "application/x-ndjson"
_LINES: Final[dict[str, Any]] = {
    "response_class": Response,
    "responses": {200: {"content": {_NDJSON: {"schema": {"type": "string"}}}}},
}
# A tile that is there never changes.
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
TileName = Annotated[
    str,
    Path(
        description="Groups of three digits, all but the last after an x, as x001/234; "
        "for the first W hashes of it, .p/W follows."
    ),
]


class InclusionQuery(BaseModel):
    """Which record, and in the log of which size; none is the size that it has now."""

    model_config = ConfigDict(extra="forbid")

    position: int
    tree_size: int | None = None


class ConsistencyQuery(BaseModel):
    """Between which sizes; none is the size that the log has now."""

    model_config = ConfigDict(extra="forbid")

    first_size: int
    second_size: int | None = None


class RecordsQuery(BaseModel):
    """The records after which position, and how many at most."""

    model_config = ConfigDict(extra="forbid")

    after: int = 0
    limit: int = DEFAULT_PAGE_SIZE


def add_log(router: APIRouter, require: Require, ledger: Any) -> None:
    """Add the routes."""
    guarded = [Depends(require("read"))]
    _add_signed(router, guarded, ledger)
    _add_tiles(router, guarded, ledger)
    _add_proofs(router, guarded, ledger)


def _add_signed(router: APIRouter, guarded: list[Any], ledger: Any) -> None:
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get("/log/key", dependencies=guarded, response_class=PlainTextResponse)
    async def read_verifier_key(ledger: Ledger) -> Response:
        """Give the public key that checkpoints are signed by (C2SP signed-note)."""
        return PlainTextResponse(f"{await ledger.verifier_key()}\n")

    @router.get("/log/checkpoint", dependencies=guarded, response_class=PlainTextResponse)
    async def read_checkpoint(ledger: Ledger) -> Response:
        """Sign the log's size and root (C2SP tlog-checkpoint)."""
        headers = {"Cache-Control": "no-cache"}
        return PlainTextResponse(await ledger.checkpoint(), headers=headers)


def _add_tiles(router: APIRouter, guarded: list[Any], ledger: Any) -> None:
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    # Before the other one, as `entries` would be a level to it.
    @router.get("/log/tile/entries/{tile:path}", dependencies=guarded, **_BINARY)
    async def read_entry_bundle(ledger: Ledger, tile: TileName) -> Response:
        """Give the canonical bytes of a tile's records, a uint16 of length before each."""
        tile_index, width = _place(tile)
        return _binary(await ledger.entry_bundle(tile_index, width=width))

    @router.get("/log/records", dependencies=guarded, **_LINES)
    async def read_canonical_records(
        ledger: Ledger, chosen: Annotated[RecordsQuery, Query()]
    ) -> Response:
        """Give the canonical texts of records, a line each: exactly what is hashed."""
        texts = await ledger.canonical_records(chosen.after, limit=chosen.limit)
        return Response("".join(f"{text}\n" for text in texts), 200, None, _NDJSON)

    @router.get("/log/tile/{level}/{tile:path}", dependencies=guarded, **_BINARY)
    async def read_tile(ledger: Ledger, level: str, tile: TileName) -> Response:
        """Give hashes of the tree (C2SP tlog-tiles)."""
        try:
            height = parse_tile_level(level)
        except ProofError as error:
            raise Refused(Refusal(RefusalCode.MALFORMED, str(error), "level")) from None
        tile_index, width = _place(tile)
        return _binary(await ledger.tile(height, tile_index, width=width))


def _add_proofs(router: APIRouter, guarded: list[Any], ledger: Any) -> None:
    Ledger = Annotated[LocalLedger, Depends(ledger)]  # noqa: N806 - a type

    @router.get("/log/proof/inclusion", dependencies=guarded, response_model=api.InclusionProof)
    async def prove_inclusion(
        ledger: Ledger, chosen: Annotated[InclusionQuery, Query()]
    ) -> Response:
        """Prove that a record is in the log."""
        proof = await ledger.inclusion_proof(chosen.position, tree_size=chosen.tree_size)
        return answer(proof)

    @router.get("/log/proof/consistency", dependencies=guarded, response_model=api.ConsistencyProof)
    async def prove_consistency(
        ledger: Ledger, chosen: Annotated[ConsistencyQuery, Query()]
    ) -> Response:
        """Prove that the log of one size extends that of another."""
        return answer(await ledger.consistency_proof(chosen.first_size, chosen.second_size))

    @router.get(
        "/accounts/{address}/balance/proof",
        dependencies=guarded,
        response_model=api.BalanceProof,
    )
    async def prove_balance(ledger: Ledger, address: str) -> Response:
        """Prove an account's running totals."""
        return answer(await ledger.balance_proof(address))


def _place(path: str) -> TilePlace:
    try:
        return parse_tile_path(path)
    except ProofError as error:
        raise Refused(Refusal(RefusalCode.MALFORMED, str(error), "tile")) from None


def _binary(content: bytes) -> Response:
    return Response(content, 200, _FOR_EVER, "application/octet-stream")
