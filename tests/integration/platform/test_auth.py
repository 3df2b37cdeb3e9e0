"""API keys on a real PostgreSQL and over real HTTP."""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import httpx2
import psycopg
import pytest
from fastapi import Depends
from prometheus_client import CollectorRegistry
from tests.support.processes import served

from tandem.platform.auth import (
    ApiKeys,
    Permission,
    Principal,
    create_require,
    migrate_auth,
)
from tandem.platform.auth.api_keys import ROLE
from tandem.platform.database import Pool, open_pool
from tandem.platform.errors import DatabaseUnavailable
from tandem.platform.http import Health, create_api
from tandem.platform.limits import KEY_CACHE_TTL_S

pytestmark = pytest.mark.anyio

_START = datetime(2026, 1, 1, tzinfo=UTC)


class _Clock:
    """Time that moves when told."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def now(self) -> datetime:
        return _START + timedelta(seconds=self.elapsed_s)


@pytest.fixture
def clock() -> _Clock:
    """The clock of the keys under test."""
    return _Clock()


@pytest.fixture
async def pool(database_uri: str) -> AsyncIterator[Pool]:
    """A pool in the role of the keys, on a migrated database."""
    await asyncio.to_thread(migrate_auth, database_uri)
    async with await open_pool(database_uri, role=ROLE, min_size=1, max_size=2, name="keys") as it:
        yield it


def _keys(pool: Pool, clock: _Clock) -> ApiKeys:
    return ApiKeys(
        pool, now=clock.now, monotonic_s=clock.monotonic_s, random_bytes=secrets.token_bytes
    )


async def test_a_key_is_verified_and_its_secret_is_not_stored(
    pool: Pool, clock: _Clock, database_uri: str
) -> None:
    """The token names its principal; the table holds its hash only."""
    keys = _keys(pool, clock)
    token = await keys.create_key("reader", [Permission.READ])
    principal = await keys.verify(token)
    assert principal is not None
    assert principal.name == "reader"
    assert principal.permissions == {Permission.READ}
    _prefix, key_id, secret = token.split("_", 2)
    assert principal.key_id == key_id
    with psycopg.connect(database_uri) as connection:
        row = connection.execute("SELECT api_key::text, secret_hash FROM platform.api_key")
        text, stored = row.fetchone() or ("", b"")
    assert secret not in text
    assert stored == hashlib.sha256(secret.encode()).digest()


async def test_what_is_no_key_is_nobody(pool: Pool, clock: _Clock) -> None:
    """Wrong secrets, unknown ids and junk of any length are refused alike."""
    keys = _keys(pool, clock)
    token = await keys.create_key("reader", [Permission.READ])
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    unknown = f"tandem_{'0' * 16}_{token.rpartition('_')[2][-43:]:>043}"
    for wrong in (changed, unknown, "", "tandem__", token + "\n", token + "x", "x" * 100_000):
        assert await keys.verify(wrong) is None


async def test_a_revoked_key_ends_within_its_bound(pool: Pool, clock: _Clock) -> None:
    """The revoking process refuses at once, another one when its cached answer is too old."""
    keys, elsewhere = _keys(pool, clock), _keys(pool, clock)
    token = await keys.create_key("reader", [Permission.READ])
    assert await keys.verify(token) is not None
    assert await elsewhere.verify(token) is not None
    key_id = token.split("_")[1]
    assert await keys.revoke_key(key_id)
    assert not await keys.revoke_key(key_id)
    assert await keys.verify(token) is None
    assert await elsewhere.verify(token) is not None
    clock.elapsed_s += KEY_CACHE_TTL_S
    assert await elsewhere.verify(token) is None


async def test_only_one_server_makes_the_first_key(pool: Pool, clock: _Clock) -> None:
    """Of servers that start together one gets the key, and a later start gets none."""
    tokens = await asyncio.gather(*(_keys(pool, clock).ensure_first_key() for _ in range(8)))
    made = [token for token in tokens if token is not None]
    assert len(made) == 1
    principal = await _keys(pool, clock).verify(made[0])
    assert principal is not None
    assert principal.permissions == set(Permission)
    await _keys(pool, clock).revoke_key(principal.key_id)
    assert await _keys(pool, clock).ensure_first_key() is None


async def test_listed_keys_show_no_secret(pool: Pool, clock: _Clock) -> None:
    """A listing tells name, permissions and times, oldest first."""
    keys = _keys(pool, clock)
    await keys.create_key("one", [Permission.READ])
    clock.elapsed_s += 1
    token = await keys.create_key("two", [Permission.ROUTE, Permission.WRITE])
    await keys.revoke_key(token.split("_")[1])
    one, two = await keys.list_keys()
    assert (one.name, one.created_at, one.revoked_at) == ("one", _START, None)
    assert two.permissions == {Permission.ROUTE, Permission.WRITE}
    assert two.revoked_at == clock.now()


async def test_the_role_cannot_change_a_key(pool: Pool, clock: _Clock) -> None:
    """The application may revoke, and neither raise permissions nor delete."""
    await _keys(pool, clock).create_key("one", [Permission.READ])
    async with pool.connection() as connection:
        for statement in (
            "UPDATE platform.api_key SET permissions = '{admin}'",
            "DELETE FROM platform.api_key",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)


@pytest.mark.parametrize("name", ["", "  ", "x" * 65])
async def test_bad_names_are_refused(pool: Pool, clock: _Clock, name: str) -> None:
    """A key has a name that fits a line."""
    with pytest.raises(ValueError, match="name"):
        await _keys(pool, clock).create_key(name, [])


async def _known(caller: str) -> Principal | None:
    if caller == "down":
        raise DatabaseUnavailable("no database")
    allowed = frozenset({Permission(caller)}) if caller in Permission else None
    return None if allowed is None else Principal("id", caller, allowed)


@pytest.mark.parametrize(
    ("header", "status", "code", "challenge"),
    [
        (None, 401, "unauthenticated", "Bearer"),
        ("Basic dTpw", 401, "unauthenticated", "Bearer"),
        ("Bearer nobody", 401, "unauthenticated", 'Bearer error="invalid_token"'),
        ("Bearer read", 403, "forbidden", None),
        ("Bearer down", 503, "unavailable", None),
        ("Bearer write", 200, None, None),
    ],
)
async def test_the_guard_wants_the_permission(
    header: str | None, status: int, code: str | None, challenge: str | None
) -> None:
    """Who is unknown gets 401 and the way to be known; who may not gets 403."""
    require = create_require(_known)
    app = create_api("Probe", version="1", registry=CollectorRegistry(), health=Health())

    @app.get("/guarded")
    async def guarded(principal: Annotated[Principal, Depends(require("write"))]) -> str:
        return principal.name

    headers = {} if header is None else {"Authorization": header}
    async with served(app) as client:
        response: httpx2.Response = await client.get("/guarded", headers=headers)
        schema = (await client.get("/openapi.json")).json()
    assert response.status_code == status
    assert response.json() == "write" if code is None else response.json()["code"] == code
    assert response.headers.get("www-authenticate") == challenge
    assert schema["paths"]["/guarded"]["get"]["security"] == [{"ApiKey": []}]
