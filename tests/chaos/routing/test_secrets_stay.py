"""Secrets in use while everything goes wrong: they are found in no sink (G14)."""

import io
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import psycopg
import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from psycopg import sql
from tests.support.fault_server import FaultServer, Reply, Seen, html_reply, json_reply
from tests.support.routing import MARKET, STATION, compute_answer, soon
from tests.support.spans import Spans

from tandem.platform.config import LogFormat, LogLevel, Settings
from tandem.platform.telemetry import configure_logging
from tandem.platform.webhooks.sealing import SecretBox
from tandem.routing.composition import Routing, open_routing
from tandem.routing.domain.coordinate import Coordinate
from tandem.routing.domain.errors import RoutingError
from tandem.routing.domain.request import RouteRequest
from tandem.routing.jobs.core import JobKind
from tandem.routing.jobs.service import Spec
from tandem.routing.providers.bikemap_v2 import TOKEN_PATH
from tandem.routing.wire.routes import PlanRequest

pytestmark = pytest.mark.anyio

_CLIENT, _V1, _GRAPHHOPPER = "canary-client-secret", "canary-v1-key", "canary graphhopper/key"
_WEBHOOK, _CALLBACK = "canarywebhook" * 4, "canarycallback" * 4
_TOKEN = "canary-bearer-token"  # noqa: S105 - it is to be found nowhere
_PASSWORD_FORMS = ("Y2FuYXJ5",)  # "canary" in base64, as in basic credentials and webhooks' secrets
_WAYS = 12


def _echo(seen: Seen) -> dict[str, Any]:
    """What a careless provider tells: all that it was sent."""
    said = f"you sent {dict(seen.headers)} to {seen.path}"
    hints = [{"message": said, "details": said, "point_index": 0}]
    return {"message": said, "hints": hints, "title": said, "detail": said, "code": said}


def _replies(sink: FaultServer) -> list[Callable[[Seen], Reply]]:
    """Ways to answer, of which only the first is right."""
    return [
        lambda _seen: json_reply(200, compute_answer()),
        lambda seen: json_reply(200, _echo(seen)),
        lambda seen: json_reply(400, _echo(seen)),
        lambda seen: json_reply(401, _echo(seen)),
        lambda seen: json_reply(403, _echo(seen)),
        lambda seen: json_reply(429, _echo(seen), Retry_After="0"),
        lambda seen: json_reply(500, _echo(seen)),
        lambda _seen: html_reply(502),
        lambda seen: Reply(302, b"", {"Location": f"{sink.url}{seen.path}"}),
        lambda seen: Reply(307, b"", {"Location": f"{sink.url}{seen.path}"}),
        lambda seen: Reply(200, json.dumps(_echo(seen)).encode()[:-9]),
        lambda seen: replace(json_reply(200, _echo(seen)), cut=10),
    ]


@asynccontextmanager
async def _provider(sink: FaultServer) -> AsyncIterator[FaultServer]:
    """Answer each path in one way after another."""
    numbers: dict[str, count[int]] = {}
    ways = _replies(sink)
    assert len(ways) == _WAYS

    def script(seen: Seen) -> Reply:
        number = next(numbers.setdefault(seen.path.partition("?")[0], count()))
        if seen.path == TOKEN_PATH and number % _WAYS in {0, 1, 2, 4, 6, 8, 10}:
            granted = {"access_token": _TOKEN, "token_type": "Bearer", "expires_in": 1}
            return json_reply(200, granted)
        return ways[number % _WAYS](seen)

    async with FaultServer(script) as server:
        yield server


def _settings(url: str) -> Settings:
    given = {
        "bikemap_base_url": url,
        "bikemap_client_id": "courier",
        "bikemap_client_secret": _CLIENT,
        "bikemap_v1_keys": _V1,
        "bikemap_callback_url": f"{url}/ours",
        "bikemap_webhook_secrets": f"whsec_{_WEBHOOK}",
        "graphhopper_url": url,
        "graphhopper_keys": _GRAPHHOPPER,
    }
    return Settings.model_validate(given)


def _request(number: int) -> RouteRequest:
    start = Coordinate(MARKET.lon + number * 1e-5, MARKET.lat)
    return replace(RouteRequest.through(start, STATION), include=frozenset())


async def _ask_all(routing: Routing) -> list[str]:
    """Ask every provider often; return what errors say, to callers and among ourselves."""
    told: list[str] = []
    gateway = routing.gateway
    for number in range(3 * _WAYS):
        for upstream in gateway.upstreams:
            try:
                await upstream.provider.call(_request(number), soon())
            except RoutingError as error:
                told += traceback.format_exception(error)
                told.append(repr(error))
        try:
            await gateway.ask(_request(number), soon())
        except RoutingError as error:
            told += traceback.format_exception(error)
    return told


def _dumped(conninfo: str) -> str:
    """Write out every row of every table."""
    with psycopg.connect(conninfo) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        rows = [
            connection.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*table))
            ).fetchall()
            for table in tables
        ]
    return repr(rows)


@pytest.fixture
def raw_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Give the log of a process at debug level, as it is before known secrets are taken out."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configure_logging(LogLevel.DEBUG, LogFormat.JSON, io.StringIO())
    root.addHandler(caplog.handler)
    yield caplog
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_no_sink_has_a_secret(
    database_uri: str, raw_log: pytest.LogCaptureFixture, spans: Spans
) -> None:
    """Raw logs at debug level, errors, spans, metrics, tables, and where redirects lead."""
    registry = CollectorRegistry()
    async with FaultServer(lambda _seen: Reply()) as sink, _provider(sink) as provider:
        settings = _settings(provider.url)
        box = SecretBox(bytes(32))
        async with open_routing(settings, database_uri, box, registry) as routing:
            told = await _ask_all(routing)
            spec = Spec(
                JobKind.ROUTES,
                [PlanRequest.of(_request(1), 1_000)],
                "https://receiver.example/hook",
                f"whsec_{_CALLBACK}",
            )
            await routing.jobs.create("tenant", "key", spec)
            tables = _dumped(database_uri)
            metrics = generate_latest(registry).decode()
        used = repr([(seen.path, seen.headers) for seen in provider.seen])
    assert _V1 in used
    assert _TOKEN in used
    assert "canary%20graphhopper%2Fkey" in used
    assert told
    assert raw_log.records
    assert sink.seen == []
    assert spans.ended("routing.attempt")
    sinks = {
        "logs": raw_log.text,
        "errors": "".join(told),
        "spans": spans.text(),
        "metrics": metrics,
        "tables": tables,
        "settings": repr(settings) + repr(routing),
    }
    for name, text in sinks.items():
        found = [word for word in ("canary", *_PASSWORD_FORMS) if word in text]
        assert not found, f"{name}: {text[max(0, text.index(found[0]) - 200) :][:600]}"
