"""Our own API as it is committed: what is served, and what nobody may break."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.support.routing import gateway_on

from tandem.platform.auth import create_require
from tandem.platform.http import Health, create_api
from tandem.platform.http.compatibility import breaking_changes
from tandem.routing.change.report import Report
from tandem.routing.http import (
    create_change_router,
    create_jobs_router,
    create_operating_router,
    create_router,
)
from tandem.routing.jobs.service import RoutingJobs

pytestmark = pytest.mark.anyio

_CONTRACTS = Path(__file__).parents[3] / "contracts"
_COMMITTED = _CONTRACTS / "routing-v1.json"
_RELEASED = _CONTRACTS / "released" / "routing-v1.json"


async def _served() -> dict[str, Any]:
    registry = CollectorRegistry()
    app = create_api("Tandem routing", version="1", registry=registry, health=Health())
    async with gateway_on(None, None, registry=registry) as gateway:
        require = create_require(lambda _token: None)  # type: ignore[arg-type,return-value]  # unused
        app.include_router(create_router(gateway, require))
        app.include_router(create_operating_router(gateway, require))
        jobs = RoutingJobs(None, None, lambda: datetime.now(UTC))  # type: ignore[arg-type]  # unused
        app.include_router(create_jobs_router(jobs, require))
        operator: Any = None  # nobody asks it anything here
        app.include_router(create_change_router(operator, Report(CollectorRegistry()), require))
        described = app.openapi()
    described["paths"] = {
        path: item for path, item in described["paths"].items() if path.startswith("/v1/")
    }
    return described


async def test_the_committed_description_is_the_served_one() -> None:
    """`make contracts` writes it; a change of the API shows in the diff of this file."""
    served = json.loads(json.dumps(await _served()))
    if os.environ.get("TANDEM_TEST_WRITE_CONTRACTS"):
        _COMMITTED.write_text(json.dumps(served, indent=1, sort_keys=True) + "\n")
    assert served == json.loads(_COMMITTED.read_text())


async def test_nothing_that_was_released_is_broken() -> None:
    """The released description may grow, and nothing of it may go."""
    assert breaking_changes(json.loads(_RELEASED.read_text()), await _served()) == []
