"""The doors of the ledger: in process on either store, and over real HTTP with real keys.

One server for each test process, a ledger of its own for each test. Doors in process go by the
virtual clock; the server goes by the real one.
"""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from psycopg import sql
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr
from tests.support.clock import VirtualClock

from tandem.ledger import api, commands, service
from tandem.ledger import http as ledger_http
from tandem.ledger.client import LedgerClient
from tandem.ledger.core.commands import OpenAccount
from tandem.ledger.core.refusals import HTTP_STATUS
from tandem.ledger.local import LocalLedger
from tandem.ledger.service import LedgerService
from tandem.ledger.signing import KEY_FILE, Signer, ensure_signer
from tandem.ledger.storage.memory import MemoryStore
from tandem.ledger.storage.postgres import PostgresStore, open_store
from tandem.platform.auth import ApiKeys, Permission
from tandem.platform.auth.guard import create_require
from tandem.platform.config import Settings
from tandem.platform.database import migrate
from tandem.platform.http.api import create_api
from tandem.platform.http.health import Health
from tandem.platform.http.serving import HttpServer
from tandem.server import open_application

_TIMEOUT_S = 30.0
ANY_SKEW_US = 2**62
SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_MANY_LEDGERS = 100_000
WEBHOOK_KEY = bytes(range(32))

STORES = ("memory", "postgres")
DOORS = (*STORES, "http")


def fresh_name() -> str:
    """Name a ledger that no other test has."""
    return f"test-{uuid.uuid4().hex[:16]}"


# -- stores --------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ledger_database(postgres_uri: str) -> Iterator[str]:
    """URI of a database with the ledger's schema, one for each test process."""
    name = f"ledgers_{uuid.uuid4().hex[:16]}"
    identifier = sql.Identifier(name)
    with psycopg.connect(postgres_uri, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        uri = make_conninfo(postgres_uri, dbname=name)
        migrate(uri, "tandem.ledger.storage:migrations", "ledger")
        yield uri
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))


@pytest.fixture(scope="session")
async def postgres_store(ledger_database: str) -> AsyncIterator[PostgresStore]:
    """The PostgreSQL store, which takes any clock."""
    async with open_store(ledger_database, max_clock_skew_us=ANY_SKEW_US) as store:
        yield store


@asynccontextmanager
async def in_process(
    store: MemoryStore | PostgresStore, clock: VirtualClock, name: str | None = None
) -> AsyncIterator[LocalLedger]:
    """Open a ledger over a store; another one of the same name is another process's writer."""
    ledgers = LedgerService(store, clock, SIGNER, WEBHOOK_KEY)
    try:
        yield await ledgers.create_ledger(name or fresh_name())
    finally:
        await ledgers.close()


# -- the server ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LedgerServer:
    """A served application, its keys, and a token that may do everything."""

    url: str
    keys: ApiKeys
    http: httpx2.AsyncClient
    root: LedgerClient

    def client(self, name: str) -> LedgerClient:
        """Give a client of a ledger; all of them share connections, which are dear to make."""
        client = copy(self.root)
        client._name, client._path = name, f"/v1/ledgers/{name}"
        return client


@pytest.fixture(scope="session")
async def ledger_server(
    ledger_database: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LedgerServer]:
    """The application as `tandem serve` puts it together, on a real socket."""
    with pytest.MonkeyPatch.context() as patch:
        # A ledger for each test of a whole run is more than one server is meant for.
        patch.setattr(service, "MAX_LEDGERS_PER_PROCESS", _MANY_LEDGERS)
        signing_key = tmp_path_factory.mktemp("keys") / KEY_FILE
        ensure_signer(signing_key)
        async with _served(ledger_database, signing_key) as server:
            yield server


@asynccontextmanager
async def _served(ledger_database: str, signing_key: Path) -> AsyncIterator[LedgerServer]:
    key = base64.b64encode(WEBHOOK_KEY).decode()
    settings = Settings(
        database_url=ledger_database,
        ledger=fresh_name(),
        signing_key=signing_key,
        webhook_key=SecretStr(key),
    )
    async with (
        open_application(settings) as application,
        HttpServer(application.api, host="127.0.0.1", port=0) as server,
    ):
        token = await application.keys.create_key("all", Permission)
        async with (
            LedgerClient(server.url, token) as root,
            httpx2.AsyncClient(base_url=server.url, timeout=_TIMEOUT_S) as http,
        ):
            http.headers["Authorization"] = f"Bearer {token}"
            yield LedgerServer(server.url, application.keys, http, root)


def api_of(service: LedgerService, server: LedgerServer) -> FastAPI:
    """Make an application of a service of the test's own, which knows the server's keys."""
    made = create_api("test", version="0", registry=CollectorRegistry(), health=Health())
    ledger_http.install(made)
    made.include_router(ledger_http.create_router(service, create_require(server.keys.verify)))
    return made


@dataclass(frozen=True, slots=True)
class Wire:
    """A ledger of a server: as bytes on the wire, and through the client beside it."""

    server: LedgerServer
    ledger: LedgerClient
    path: str

    async def send(
        self, method: str, path: str, body: object = None, **headers: str | None
    ) -> httpx2.Response:
        """Send a body (text as it is, else as JSON) with an idempotency key, unless said otherwise.

        Headers are written `Idempotency_Key="k"`; None leaves one out.
        """
        wanted: dict[str, str | None] = {
            "Content-Type": "application/json",
            "Idempotency-Key": uuid.uuid4().hex,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        content = body if isinstance(body, str | bytes) else json.dumps(body)
        return await self.server.http.request(
            method,
            self.path + path,
            content=None if body is None else content,
            headers={name: value for name, value in wanted.items() if value is not None},
        )

    async def post(self, path: str, body: object, **headers: str | None) -> httpx2.Response:
        """Send a POST."""
        return await self.send("POST", path, body, **headers)

    async def get(self, path: str, **headers: str | None) -> httpx2.Response:
        """Send a GET."""
        return await self.send("GET", path, **headers)


async def _wire(server: LedgerServer) -> Wire:
    name = fresh_name()
    ledger = server.client(name)
    await ledger.create_ledger()
    await open_usual(ledger)
    return Wire(server, ledger, f"/v1/ledgers/{name}")


@pytest.fixture
async def wire(ledger_server: LedgerServer) -> Wire:
    """A fresh ledger on the server, with the usual accounts."""
    return await _wire(ledger_server)


@pytest.fixture(scope="module")
async def shared_wire(ledger_server: LedgerServer) -> Wire:
    """A ledger for the tests of a module that write nothing."""
    return await _wire(ledger_server)


# -- doors ---------------------------------------------------------------------------------------


@asynccontextmanager
async def _door(
    name: str, clock: VirtualClock, store: PostgresStore, server: LedgerServer
) -> AsyncIterator[api.Ledger]:
    if name == "http":
        yield (await _wire(server)).ledger
        return
    async with in_process(MemoryStore(clock) if name == "memory" else store, clock) as local:
        await open_usual(local)
        yield local


@pytest.fixture(params=DOORS)
async def ledger(
    request: pytest.FixtureRequest,
    clock: VirtualClock,
    postgres_store: PostgresStore,
    ledger_server: LedgerServer,
) -> AsyncIterator[api.Ledger]:
    """A fresh ledger with the usual accounts, through each door."""
    async with _door(request.param, clock, postgres_store, ledger_server) as opened:
        yield opened


@pytest.fixture(scope="module", params=DOORS)
async def shared_ledger(
    request: pytest.FixtureRequest, postgres_store: PostgresStore, ledger_server: LedgerServer
) -> AsyncIterator[api.Ledger]:
    """Through each door a ledger for the tests of a module that write nothing."""
    async with _door(request.param, VirtualClock(), postgres_store, ledger_server) as opened:
        yield opened


@pytest.fixture(params=STORES)
async def timed(
    request: pytest.FixtureRequest, clock: VirtualClock, postgres_store: PostgresStore
) -> AsyncIterator[LocalLedger]:
    """A fresh ledger with the usual accounts, in process on each store, on the virtual clock."""
    store = MemoryStore(clock) if request.param == "memory" else postgres_store
    async with in_process(store, clock) as local:
        await open_usual(local)
        yield local


# -- what tests do with a ledger -----------------------------------------------------------------


def account(address: str, asset: str = "EUR/2", **fields: Any) -> OpenAccount:
    """Open a liability that cannot go below zero, unless said otherwise."""
    fields = {"account_class": "liability", "min_balance_minor": 0, **fields}
    return commands.open_account(address, asset=asset, idempotency_key=f"open-{address}", **fields)


# `cash` takes anything; the wallets must not go below zero and are empty at first.
USUAL = (
    account("cash", account_class="asset", min_balance_minor=None),
    account("wallets:a"),
    account("wallets:b"),
)
USUAL_RECORDS = len(USUAL)


async def open_usual(ledger: api.Ledger) -> None:
    """Open `cash`, `wallets:a` and `wallets:b`, all in EUR/2."""
    await open_accounts(ledger, USUAL)


async def open_accounts(ledger: api.Ledger, accounts: Iterable[OpenAccount]) -> None:
    """Open accounts, and be sure that they were."""
    receipts = await ledger.submit_batch(list(accounts))
    assert [receipt.refusal for receipt in receipts] == [None] * len(receipts)


async def fund(ledger: api.Ledger, address: str, amount_minor: int, key: str = "") -> api.Record:
    """Move money from `cash` to a wallet."""
    return await ledger.transfer(
        debit_account="cash",
        credit_account=address,
        amount_minor=amount_minor,
        idempotency_key=key or f"fund-{uuid.uuid4().hex}",
    )


async def refused(write: Awaitable[Any]) -> api.Refusal:
    """Await what must be refused; give the refusal."""
    with pytest.raises(api.Refused) as caught:
        await write
    return caught.value.refusal


async def head(ledger: api.Ledger) -> int:
    """The position of the last record."""
    return (await ledger.trial_balance()).position


async def available(ledger: api.Ledger, address: str) -> int:
    """What can be spent of an account."""
    return (await ledger.balance(address)).available_minor


def code_of(response: httpx2.Response) -> str:
    """The code of a problem, which must be one in every respect."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:tandem:problem:{problem['code']}"
    assert HTTP_STATUS[api.RefusalCode(problem["code"])] == response.status_code
    return str(problem["code"])
