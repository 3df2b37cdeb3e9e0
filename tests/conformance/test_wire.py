"""What only HTTP can get wrong: keys, permissions, bodies, types, paths, queries, sizes."""

import json
from typing import Any, Final

import httpx2
import pytest
from tests.support.doors import USUAL_RECORDS, LedgerServer, Wire, code_of, fresh_name, head

from tandem.ledger.client import LedgerClient, Refused
from tandem.ledger.core.limits import MAX_BODY_BYTES
from tandem.platform.auth import Permission

pytestmark = pytest.mark.anyio

_TRANSFER: Final = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": 1}
_ENTRIES: Final = [
    {"account": "cash", "direction": "debit", "amount_minor": 1},
    {"account": "wallets:a", "direction": "credit", "amount_minor": 1},
]
_WRITES: Final[list[tuple[str, str, dict[str, Any]]]] = [
    ("POST", "/accounts", {"address": "x", "asset": "EUR/2", "account_class": "asset"}),
    ("PATCH", "/accounts/cash", {"status": "frozen"}),
    ("POST", "/transfers", _TRANSFER),
    ("POST", "/transactions", {"entries": _ENTRIES}),
    ("POST", "/holds", {"entries": _ENTRIES}),
    ("POST", "/holds/1/captures", {}),
    ("POST", "/holds/1/releases", {}),
    ("POST", "/transactions/1/reversals", {}),
    ("POST", "/batches", {"commands": [{**_TRANSFER, "kind": "transfer", "idempotency_key": "k"}]}),
]
_READS: Final = [
    "/accounts", "/accounts/cash", "/accounts/cash/balance", "/records", "/records/1",
    "/holds/1", "/trial-balance", "/verification", "/log/key", "/log/checkpoint",
    "/log/tile/0/000.p/1", "/log/tile/entries/000.p/1", "/log/proof/inclusion?position=1",
    "/log/proof/consistency?first_size=1", "/accounts/cash/balance/proof",
]  # fmt: skip


async def test_every_call_wants_a_key(shared_wire: Wire) -> None:
    """Without one, with a wrong one or with another scheme: 401, and nothing is written."""
    for authorization in (None, "Bearer", "Bearer x", "Bearer tandem_0_x", "Basic dTpw"):
        for method, path, body in _WRITES:
            answer = await _without(shared_wire, authorization, method, path, body)
            assert code_of(answer) == "unauthenticated"
            assert answer.headers["www-authenticate"].startswith("Bearer")
        for path in _READS:
            answer = await _without(shared_wire, authorization, "GET", path, None)
            assert code_of(answer) == "unauthenticated"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def _without(
    wire: Wire, authorization: str | None, method: str, path: str, body: object
) -> httpx2.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    client = httpx2.AsyncClient.build_request
    request = client(wire.server.http, method, wire.path + path, json=body)
    del request.headers["Authorization"]
    request.headers.update({**headers, "Idempotency-Key": "unauthenticated"})
    return await wire.server.http.send(request)


async def test_a_key_allows_what_it_says(shared_wire: Wire) -> None:
    """Reading is not writing, writing is not reading, and neither makes a ledger."""
    keys = shared_wire.server.keys
    read = {"Authorization": f"Bearer {await keys.create_key('reader', [Permission.READ])}"}
    write = {"Authorization": f"Bearer {await keys.create_key('writer', [Permission.WRITE])}"}
    for method, path, body in _WRITES:
        assert code_of(await shared_wire.send(method, path, body, **read)) == "forbidden"
    for path in _READS:
        answer = await shared_wire.get(path, **write)
        assert (code_of(answer), answer.json()["permission"]) == ("forbidden", "read")
        assert (await shared_wire.get(path, **read)).status_code in (200, 404)
    for headers in (read, write):
        answer = await shared_wire.server.http.post(
            "/v1/ledgers", json={"name": fresh_name()}, headers=headers
        )
        assert code_of(answer) == "forbidden"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_a_ledger_is_made_once_and_named_plainly(ledger_server: LedgerServer) -> None:
    """Making it again changes nothing; odd names are malformed; the listing has it."""
    name = fresh_name()
    for _ in range(2):
        answer = await ledger_server.http.post("/v1/ledgers", json={"name": name})
        assert (answer.status_code, answer.json()) == (201, {"name": name})
    listed = (await ledger_server.http.get("/v1/ledgers")).json()["items"]
    assert {"name": name} in listed
    for bad in ("", "UPPER", "-x", "a b", "a/b", "..", "x" * 64, "\u00e4", "a\n"):
        answer = await ledger_server.http.post("/v1/ledgers", json={"name": bad})
        assert code_of(answer) == "malformed"
    for other in (5, None, ["x"]):
        answer = await ledger_server.http.post("/v1/ledgers", json={"name": other})
        assert code_of(answer) == "malformed"


async def test_an_unknown_ledger_is_not_found(ledger_server: LedgerServer) -> None:
    """Reading or writing, by a name that could be one; other names are malformed."""
    for name, code in (("nowhere", "ledger_not_found"), ("NOWHERE", "malformed")):
        for method, path, body in [*_WRITES, *(("GET", path, None) for path in _READS)]:
            answer = await ledger_server.http.request(
                method, f"/v1/ledgers/{name}{path}", json=body, headers={"Idempotency-Key": "k"}
            )
            assert code_of(answer) == code


async def test_unknown_members_are_refused(shared_wire: Wire) -> None:
    """In every body, also within entries, and never ignored."""
    for method, path, body in _WRITES:
        answer = await shared_wire.send(method, path, {**body, "colour": "red"})
        assert (code_of(answer), answer.json()["field"]) == ("malformed", "colour")
    odd = [{**_ENTRIES[0], "memo": "x"}, _ENTRIES[1]]
    answer = await shared_wire.post("/transactions", {"entries": odd})
    assert (code_of(answer), answer.json()["index"]) == ("malformed", 0)
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_unknown_filters_are_refused(shared_wire: Wire) -> None:
    """A filter that is not understood would list too much."""
    for path in ("/accounts", "/records", "/accounts/cash/balance", "/trial-balance"):
        for query in ("colour=red", "Limit=1", "from=2026-01-01", "meta[a]=b"):
            answer = await shared_wire.get(f"{path}?{query}")
            assert code_of(answer) == "malformed"
    answer = await shared_wire.server.http.get("/v1/ledgers?prefix=a")
    assert code_of(answer) == "malformed"


async def test_odd_queries_are_malformed(shared_wire: Wire) -> None:
    """Numbers that are none, times without offset, and moments that exclude each other."""
    for query in (
        "/records?limit=ten",
        "/records?limit=",
        "/records?kind=gift",
        "/records?cursor=x",
        "/accounts?prefix=a%20b",
        "/accounts/cash/balance?at_position=x",
        "/accounts/cash/balance?at_position=1.5",
        "/accounts/cash/balance?at_time=2026-01-01T00:00:00",
        "/accounts/cash/balance?at_time=1767225600",
        "/accounts/cash/balance?at_time=yesterday",
        "/accounts/cash/balance?at_position=1&at_time=2026-01-01T00:00:00Z",
        "/trial-balance?at_position=0",
    ):
        assert code_of(await shared_wire.get(query)) == "malformed"


@pytest.mark.parametrize("position", ["0", "-1", "x", "1.5", str(2**63), "9" * 30, "%20", "0x1"])
async def test_odd_positions_are_malformed(shared_wire: Wire, position: str) -> None:
    """A position in a path is a positive integer."""
    for path in (f"/records/{position}", f"/holds/{position}"):
        assert code_of(await shared_wire.get(path)) == "malformed"
    for path in (
        f"/holds/{position}/captures",
        f"/holds/{position}/releases",
        f"/transactions/{position}/reversals",
    ):
        assert code_of(await shared_wire.post(path, {})) == "malformed"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"[1]", b'"transfer"', b"5", b"null", b"nonsense", b"\xff\xfe\x00",
        b"\x00",
        b"{'a': 1}", b'{"debit_account": cash}', b"[" * 50_000, b'{"a":' * 50_000,
        b'{"\\ud800":1}', b'{"metadata":{"\\ud800":1}}',
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
async def test_broken_bodies_are_malformed(shared_wire: Wire, body: bytes) -> None:
    """What is no JSON object of the right shape is refused, and the server lives on."""
    for method, path, _ in _WRITES:
        if body == b"" and path == "/accounts/cash":
            continue
        answer = await shared_wire.send(method, path, body)
        assert code_of(answer) == "malformed"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/xml"]
)
async def test_a_body_is_sent_as_json(shared_wire: Wire, content_type: str | None) -> None:
    """Another content type is refused: a form of another site cannot post here."""
    answer = await shared_wire.post("/transfers", json.dumps(_TRANSFER), Content_Type=content_type)
    assert code_of(answer) == "malformed"
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_wrong_types_are_not_converted(shared_wire: Wire) -> None:
    """Texts are no numbers, numbers no texts, words no booleans."""
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("/transfers", {**_TRANSFER, "debit_account": 5}),
        ("/transfers", {**_TRANSFER, "reference": 5}),
        ("/transfers", {**_TRANSFER, "metadata": "x"}),
        ("/transfers", {**_TRANSFER, "metadata": [["a", "b"]]}),
        ("/transfers", {**_TRANSFER, "metadata": {"a": 1}}),
        ("/transfers", {**_TRANSFER, "asset": 2}),
        ("/transactions", {"entries": _ENTRIES[0]}),
        ("/transactions", {"entries": "all"}),
        ("/transactions", {"entries": [*_ENTRIES, None]}),
        ("/transactions", {"entries": [{**_ENTRIES[0], "direction": "up"}, _ENTRIES[1]]}),
        ("/transactions", {"entries": [{**_ENTRIES[0], "direction": "DEBIT"}, _ENTRIES[1]]}),
        ("/holds", {"entries": _ENTRIES, "expires_at": 1_800_000_000}),
        ("/holds", {"entries": _ENTRIES, "expires_at": "2027-01-01T00:00:00"}),
        ("/holds", {"entries": _ENTRIES, "expires_at": "2027-01-01"}),
        ("/holds", {"entries": _ENTRIES, "expires_at": "1969-01-01T00:00:00Z"}),
        ("/holds/1/captures", {"final": "yes"}),
        ("/holds/1/captures", {"final": 1}),
        ("/transactions/1/reversals", {"override_limits": "true"}),
        ("/accounts", {"address": "x", "asset": "EUR/2", "account_class": "LIABILITY"}),
        ("/accounts", {"address": "x", "asset": "EUR/2", "account_class": 1}),
        ("/batches", {"commands": {}}),
        ("/batches", {"commands": ["transfer"]}),
        ("/batches", {"commands": [], "mode": "both"}),
    ]
    for path, body in bodies:
        answer = await shared_wire.post(path, body)
        assert (path, body, code_of(answer)) == (path, body, "malformed")
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_bodies_and_lists_are_bounded(shared_wire: Wire) -> None:
    """Too many bytes, entries or commands are too large, found before they are read."""
    padded = json.dumps(_TRANSFER).encode() + b" " * MAX_BODY_BYTES
    assert code_of(await shared_wire.post("/transfers", padded)) == "too_large"
    for entries in (_ENTRIES * 501, [5] * 100_000):
        for path in ("/transactions", "/holds"):
            answer = await shared_wire.post(path, {"entries": entries})
            assert (code_of(answer), answer.json()["field"]) == ("too_large", "entries")
    answer = await shared_wire.post("/holds/1/captures", {"entries": _ENTRIES * 501})
    assert code_of(answer) == "too_large"
    command = {**_TRANSFER, "kind": "transfer", "idempotency_key": "k"}
    many: list[list[dict[str, Any]]] = [[command] * 10_001, [{}] * 50_000]
    for commands in many:
        answer = await shared_wire.post("/batches", {"commands": commands})
        assert (code_of(answer), answer.json()["field"]) == ("too_large", "commands")
    assert await head(shared_wire.ledger) == USUAL_RECORDS


async def test_unknown_paths_and_methods_are_problems(shared_wire: Wire) -> None:
    """They are answered as problems too, whoever asks."""
    missing = await shared_wire.get("/nothing")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    for method, path in (("DELETE", "/records/1"), ("PUT", "/accounts/cash"), ("GET", "/batches")):
        answer = await shared_wire.send(method, path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


async def test_health_needs_no_key(ledger_server: LedgerServer) -> None:
    """Only health, the documentation and its description are open."""
    async with httpx2.AsyncClient(base_url=ledger_server.url) as stranger:
        for path in ("/health/live", "/health/ready", "/openapi.json", "/docs"):
            assert (await stranger.get(path)).status_code == 200
        for path in ("/metrics", "/v1/ledgers"):
            assert code_of(await stranger.get(path)) == "unauthenticated"


async def test_the_client_says_what_the_server_said(ledger_server: LedgerServer) -> None:
    """A wrong key and a missing ledger are refusals to the SDK as well."""
    async with LedgerClient(ledger_server.url, "tandem_wrong", ledger="x") as stranger:
        with pytest.raises(Refused) as caught:
            await stranger.account("cash")
        assert caught.value.code == "unauthenticated"
    with pytest.raises(Refused) as caught:
        await ledger_server.client("nowhere").account("cash")
    assert caught.value.code == "ledger_not_found"
