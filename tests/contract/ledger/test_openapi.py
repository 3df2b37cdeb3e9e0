"""The ledger's description in OpenAPI, and answers held to it."""

from typing import Any, Final

import pytest
from tests.support.doors import LedgerServer, Wire, fund

pytestmark = pytest.mark.anyio

_ROUTES: Final = {
    "/v1/ledgers": {"get", "post"},
    "/v1/ledgers/{ledger}/accounts": {"get", "post"},
    "/v1/ledgers/{ledger}/accounts/{address}": {"get", "patch"},
    "/v1/ledgers/{ledger}/accounts/{address}/balance": {"get"},
    "/v1/ledgers/{ledger}/transfers": {"post"},
    "/v1/ledgers/{ledger}/transactions": {"post"},
    "/v1/ledgers/{ledger}/transactions/{position}/reversals": {"post"},
    "/v1/ledgers/{ledger}/holds": {"post"},
    "/v1/ledgers/{ledger}/holds/{position}": {"get"},
    "/v1/ledgers/{ledger}/holds/{position}/captures": {"post"},
    "/v1/ledgers/{ledger}/holds/{position}/releases": {"post"},
    "/v1/ledgers/{ledger}/batches": {"post"},
    "/v1/ledgers/{ledger}/records": {"get"},
    "/v1/ledgers/{ledger}/records/stream": {"get"},
    "/v1/ledgers/{ledger}/webhooks": {"get"},
    "/v1/ledgers/{ledger}/webhooks/{name}": {"put", "delete"},
    "/v1/ledgers/{ledger}/webhooks/{name}/secret": {"put"},
    "/v1/ledgers/{ledger}/webhooks/{name}/resumption": {"post"},
    "/v1/ledgers/{ledger}/webhooks/{name}/dead-letters": {"get"},
    "/v1/ledgers/{ledger}/webhooks/{name}/dead-letters/{position}/resending": {"post"},
    "/v1/ledgers/{ledger}/records/{position}": {"get"},
    "/v1/ledgers/{ledger}/trial-balance": {"get"},
    "/v1/ledgers/{ledger}/accounts/{address}/statement": {"get"},
    "/v1/ledgers/{ledger}/periods": {"post"},
    "/v1/ledgers/{ledger}/verification": {"get"},
    "/v1/ledgers/{ledger}/log/key": {"get"},
    "/v1/ledgers/{ledger}/log/checkpoint": {"get"},
    "/v1/ledgers/{ledger}/log/records": {"get"},
    "/v1/ledgers/{ledger}/log/tile/entries/{tile}": {"get"},
    "/v1/ledgers/{ledger}/log/tile/{level}/{tile}": {"get"},
    "/v1/ledgers/{ledger}/log/proof/inclusion": {"get"},
    "/v1/ledgers/{ledger}/log/proof/consistency": {"get"},
    "/v1/ledgers/{ledger}/accounts/{address}/balance/proof": {"get"},
}
_PROBLEMS: Final = {"400", "401", "403", "404", "409", "413", "422", "429", "503"}


async def _description(server: LedgerServer) -> dict[str, Any]:
    described: dict[str, Any] = (await server.http.get("/openapi.json")).json()
    return described


async def test_every_route_is_described(ledger_server: LedgerServer) -> None:
    """OpenAPI 3.1, with a summary, security, and each problem as problem+json."""
    described = await _description(ledger_server)
    assert described["openapi"].startswith("3.1")
    paths = {path: item for path, item in described["paths"].items() if path.startswith("/v1/led")}
    assert {path: set(item) for path, item in paths.items()} == _ROUTES
    for path, item in paths.items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["security"] == [{"ApiKey": []}], where
            responses = operation["responses"]
            assert set(responses) >= _PROBLEMS, where
            for status in _PROBLEMS:
                assert list(responses[status]["content"]) == ["application/problem+json"], where
            assert {"200", "201"} & set(responses), where


async def test_every_write_documents_its_key(ledger_server: LedgerServer) -> None:
    """All take an idempotency key in a header, but what repeats without harm by itself."""
    described = await _description(ledger_server)
    for path, methods in _ROUTES.items():
        for method in methods & {"post", "patch"}:
            names = [
                parameter["name"]
                for parameter in described["paths"][path][method].get("parameters", [])
            ]
            keyless = path == "/v1/ledgers" or "/webhooks/" in path
            assert ("Idempotency-Key" in names) != keyless


async def test_operations_have_names_of_their_own(ledger_server: LedgerServer) -> None:
    """No two operations share an identifier, so that generated clients have all of them."""
    described = await _description(ledger_server)
    names = [
        operation["operationId"]
        for item in described["paths"].values()
        for operation in item.values()
    ]
    assert len(names) == len(set(names))


def _resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


_TYPES: Final[dict[str, type]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def _check(described: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """Hold a value to the part of JSON Schema that our descriptions use."""
    schema = _resolved(described, schema)
    kinds = [_resolved(described, kind) for kind in schema.get("anyOf", [schema])]
    fitting = [kind for kind in kinds if type(value) is _TYPES[kind["type"]]]
    assert len(fitting) == 1, where
    (schema,) = fitting
    assert value in schema.get("enum", [value]), where
    if isinstance(value, dict):
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        assert set(schema.get("required", [])) <= set(value), where
        for name, held in value.items():
            assert name in properties or other, f"{where}.{name}"
            _check(described, properties.get(name, other), held, f"{where}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check(described, schema["items"], item, f"{where}[{index}]")


async def test_answers_are_as_described(wire: Wire) -> None:
    """What the routes really send has the members, types and required fields that they promise."""
    described = await _description(wire.server)
    entries = [
        {"account": "wallets:a", "direction": "debit", "amount_minor": 5},
        {"account": "wallets:b", "direction": "credit", "amount_minor": 5},
    ]
    funded = (await fund(wire.ledger, "wallets:a", 100)).position
    hold = funded + 2
    opening = {"address": "x", "asset": "EUR/2", "account_class": "asset"}
    batch = {"commands": [{"kind": "release", "hold": 1, "idempotency_key": "k"}, {}]}
    calls: list[tuple[str, str, str, Any]] = [
        ("POST", "/accounts", "/accounts", opening),
        ("POST", "/holds", "/holds", {"entries": entries, "expires_at": "2091-01-01T00:00:00Z"}),
        ("POST", f"/holds/{hold}/captures", "/holds/{position}/captures", {"amount_minor": 2}),
        ("POST", f"/holds/{hold}/releases", "/holds/{position}/releases", {"amount_minor": "1"}),
        ("POST", "/transactions", "/transactions", {"entries": entries, "reference": "r"}),
        ("POST", f"/transactions/{funded}/reversals", "/transactions/{position}/reversals",
         {"amount_minor": 1}),
        ("PATCH", "/accounts/x", "/accounts/{address}", {"min_balance_minor": -5}),
        ("POST", "/batches", "/batches", batch),
        ("GET", "/accounts", "/accounts", None),
        ("GET", "/accounts?limit=1", "/accounts", None),
        ("GET", "/accounts/cash", "/accounts/{address}", None),
        ("GET", "/accounts/cash/balance", "/accounts/{address}/balance", None),
        ("GET", "/records", "/records", None),
        ("GET", "/records?limit=2", "/records", None),
        ("GET", "/records?after=2&wait_ms=0", "/records", None),
        ("GET", f"/records/{hold}", "/records/{position}", None),
        ("GET", f"/holds/{hold}", "/holds/{position}", None),
        ("GET", "/trial-balance", "/trial-balance", None),
        ("GET", "/accounts/cash/statement", "/accounts/{address}/statement", None),
        ("POST", "/periods", "/periods", {"through": "2020-01-01T00:00:00Z"}),
        ("GET", "/verification", "/verification", None),
        ("GET", "/log/proof/inclusion?position=2", "/log/proof/inclusion", None),
        ("GET", "/log/proof/consistency?first_size=2", "/log/proof/consistency", None),
        ("GET", "/accounts/cash/balance/proof", "/accounts/{address}/balance/proof", None),
    ]  # fmt: skip
    for method, path, template, body in calls:
        answer = await wire.send(method, path, body)
        assert answer.is_success, answer.text
        operation = described["paths"][f"/v1/ledgers/{{ledger}}{template}"][method.lower()]
        response = operation["responses"][str(answer.status_code)]
        schema = response["content"]["application/json"]["schema"]
        _check(described, schema, answer.json(), f"{method} {path}")
