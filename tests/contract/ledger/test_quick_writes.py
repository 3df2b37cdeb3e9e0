"""The usual writes are answered in front of the framework: byte for byte as behind it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from tests.support.clock import VirtualClock
from tests.support.doors import LedgerServer, api_of, open_usual

from tandem.ledger import http as ledger_http
from tandem.ledger.service import LedgerService
from tandem.ledger.storage.memory import MemoryStore
from tandem.platform.auth import Permission

pytestmark = pytest.mark.anyio

_LEDGER = "twin"
_JSON = {"Content-Type": "application/json"}
_EARLIER = "2020-01-01T00:00:00Z"
_MOVE = {"debit_account": "cash", "credit_account": "wallets:a", "amount_minor": "50"}
_ENTRIES = [
    {"account": "wallets:a", "direction": "debit", "amount_minor": 5},
    {"account": "wallets:b", "direction": "credit", "amount_minor": 5},
]
_BATCH = [
    {"kind": "transfer", **_MOVE, "idempotency_key": "one"},
    {"kind": "transfer", **_MOVE, "idempotency_key": "one", "asset": "EUR/2"},
    {"kind": "transfer", **_MOVE, "idempotency_key": "two", "metadata": {"b": "1", "a": "2"}},
    {
        "kind": "transfer",
        **_MOVE,
        "idempotency_key": "five",
        "effective_at": "2020-01-01T00:00:00Z",
    },
    {"kind": "transaction", "entries": _ENTRIES, "idempotency_key": "three"},
    {"kind": "transfer", **_MOVE, "credit_account": "nobody", "idempotency_key": "four"},
    {"kind": "transfer", **_MOVE, "amount_minor": -5, "idempotency_key": "bad"},
    {"kind": "transfer", **_MOVE, "debit_account": 7, "idempotency_key": "bad"},
    {"kind": "transfer", **_MOVE, "reference": "", "idempotency_key": "bad"},
    {"kind": "transfer", **_MOVE, "metadata": {"a": 1}, "idempotency_key": "bad"},
    {"kind": "transfer", **_MOVE, "odd": 1, "idempotency_key": "bad"},
    {"kind": "transfer", **_MOVE},
    {"kind": "transfer", "idempotency_key": "bad"},
    {"kind": "gift"},
    {},
]

type _Request = tuple[str, bytes | dict[str, Any], dict[str, str]]

# One after the other, on two ledgers that are alike: path, body, headers beside the usual.
_REQUESTS: dict[str, list[_Request]] = {
    "transfers": [
        ("/transfers", _MOVE, {"Idempotency-Key": "a"}),
        ("/transfers", _MOVE, {"Idempotency-Key": "a"}),
        ("/transfers", {**_MOVE, "amount_minor": 51}, {"Idempotency-Key": "a"}),
        ("/transfers", {**_MOVE, "reference": "r", "metadata": {"k": "v"}}, {}),
        ("/transfers", {**_MOVE, "effective_at": _EARLIER}, {}),
        ("/transfers", {**_MOVE, "credit_account": "nobody"}, {"Idempotency-Key": "b"}),
        ("/transfers", {**_MOVE, "credit_account": "nobody"}, {"Idempotency-Key": "b"}),
    ],
    "transactions": [("/transactions", {"entries": _ENTRIES, "metadata": {}}, {})],
    "holds": [
        ("/transfers", _MOVE, {"Idempotency-Key": "fund"}),
        ("/holds", {"entries": _ENTRIES, "capture_limit_minor": 6}, {"Idempotency-Key": "hold"}),
        ("/holds/5/captures", {"amount_minor": 2, "metadata": {"a": "b"}}, {}),
        ("/holds/5/releases", {"amount_minor": 1}, {"Idempotency-Key": "d"}),
        ("/holds/5/captures", {"final": True}, {"Idempotency-Key": "e"}),
        ("/holds/5/releases", {}, {"Idempotency-Key": "f"}),
        ("/holds/4/captures", {}, {"Idempotency-Key": "g"}),
        ("/holds/0/captures", {}, {"Idempotency-Key": "h"}),
        ("/holds/99999999999999999999/captures", {}, {"Idempotency-Key": "i"}),
        ("/holds/x/captures", {}, {}),
    ],
    "batches": [
        ("/batches", {"commands": _BATCH}, {}),
        ("/batches", {"mode": "atomic", "commands": _BATCH[:1]}, {}),
        ("/batches", {"mode": "atomic", "commands": [{"kind": "transfer", **_MOVE}]}, {}),
        ("/batches", {"mode": "odd", "commands": []}, {}),
        ("/batches", {"commands": []}, {}),
        ("/batches", {"commands": [{}] * 10_001}, {}),
        ("/batches", {"commands": [7]}, {}),
    ],
    "bodies": [
        ("/transfers", b"", {}),
        ("/transfers", b"{", {}),
        ("/transfers", b"[]", {}),
        ("/transfers", b"\xff", {}),
        ("/transfers", b'{"debit_account": NaN}', {}),
        ("/transfers", json.dumps(_MOVE).replace('"50"', "NaN").encode(), {}),
        ("/transfers", json.dumps(_MOVE).replace('"50"', "5e1").encode(), {}),
        ("/transfers", json.dumps(_MOVE).replace('"50"', "9" * 60).encode(), {}),
        ("/transfers", json.dumps(_MOVE).replace('"cash"', r'"\ud800"').encode(), {}),
        ("/transfers", b'{"amount_minor":1,' + json.dumps(_MOVE).encode()[1:], {}),
        ("/transfers", {**_MOVE, "odd": 1}, {}),
        ("/transfers", {**_MOVE, "amount_minor": "1.5"}, {}),
        ("/transfers", {**_MOVE, "amount_minor": True}, {}),
        ("/transfers", {**_MOVE, "debit_account": 7}, {}),
        ("/transfers", {**_MOVE, "effective_at": "yesterday"}, {}),
        ("/transfers", b"x" * (9 * 1024 * 1024), {}),
    ],
    "headers": [
        ("/transfers", _MOVE, {"Idempotency-Key": ""}),
        ("/transfers", _MOVE, {"Idempotency-Key": "a b"}),
        ("/transfers", _MOVE, {"Idempotency-Key": "x" * 200}),
        ("/transfers", _MOVE, {"Authorization": "Bearer tandem_0_0"}),
        ("/transfers", _MOVE, {"Authorization": "Basic abc"}),
        ("/transfers", _MOVE, {"Content-Type": "text/plain"}),
        ("/transfers", _MOVE, {"Content-Type": "application/json; charset=utf-8"}),
        ("/transfers?x=1", _MOVE, {}),
        ("/transfers/", _MOVE, {}),
    ],
}  # fmt: skip


async def _answers(
    app: FastAPI, token: str, requests: list[_Request]
) -> list[tuple[int, dict[str, str], bytes]]:
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    answers = []
    async with httpx2.AsyncClient(transport=transport, base_url="http://twin") as http:
        for number, (path, body, headers) in enumerate(requests):
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            wanted = {
                **_JSON,
                "Authorization": f"Bearer {token}",
                "Idempotency-Key": f"key-{number}",
                "X-Request-Id": "same",
                **headers,
            }
            sent = await http.post(f"/v1/ledgers/{_LEDGER}{path}", content=content, headers=wanted)
            answers.append((sent.status_code, dict(sent.headers), sent.content))
    return answers


@pytest.fixture
async def twins(ledger_server: LedgerServer) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """Two applications over ledgers of their own: one with the quick writes, one without."""
    services = []
    apps = []
    for quick in (True, False):
        clock = VirtualClock()
        service = LedgerService(MemoryStore(clock), clock, None, None)
        services.append(service)
        await open_usual(await service.create_ledger(_LEDGER))
        app = api_of(service, ledger_server)
        if quick:
            ledger_http.install_quick_writes(app, service, ledger_server.keys.verify)
        apps.append(app)
    yield apps[0], apps[1]
    for service in services:
        await service.close()


@pytest.mark.parametrize("requests", _REQUESTS.values(), ids=_REQUESTS)
async def test_both_ways_answer_alike(
    twins: tuple[FastAPI, FastAPI], ledger_server: LedgerServer, requests: list[_Request]
) -> None:
    """Status, headers and bytes, of what succeeds and of what does not."""
    token = await ledger_server.keys.create_key("twin", Permission)
    quick, slow = [await _answers(app, token, requests) for app in twins]
    for request, one, other in zip(requests, quick, slow, strict=True):
        assert one == other, request


async def test_a_key_that_only_reads_writes_neither_way(
    twins: tuple[FastAPI, FastAPI], ledger_server: LedgerServer
) -> None:
    """The quick way asks for the same permission."""
    token = await ledger_server.keys.create_key("reader", [Permission.READ])
    requests: list[_Request] = [("/transfers", _MOVE, {}), ("/batches", {"commands": _BATCH}, {})]
    quick, slow = [await _answers(app, token, requests) for app in twins]
    assert quick == slow
    assert {status for status, _, _ in quick} == {403}


async def test_only_what_is_unusual_reaches_the_framework(
    twins: tuple[FastAPI, FastAPI],
    ledger_server: LedgerServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the test above would compare the framework with itself."""
    token = await ledger_server.keys.create_key("twin", Permission)
    quick, _ = twins
    seen = []
    behind = quick.router.app

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await behind(scope, receive, send)

    monkeypatch.setattr(quick.router, "app", noted)
    monkeypatch.setattr(quick.router, "middleware_stack", noted)
    usual: list[_Request] = [
        ("/transfers", _MOVE, {}),
        ("/transactions", {"entries": _ENTRIES}, {}),
        ("/holds", {"entries": _ENTRIES}, {}),
        ("/batches", {"commands": _BATCH}, {}),
    ]
    answers = await _answers(quick, token, usual)
    assert [status for status, _, _ in answers] == [201, 201, 201, 200]
    assert seen == []
