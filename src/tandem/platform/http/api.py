"""The factory of our HTTP applications: every one has the same edges."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware import Middleware
from starlette.types import Lifespan

from tandem.platform.http import problems
from tandem.platform.http.body_limit import BodyLimit
from tandem.platform.http.health import Health
from tandem.platform.http.metrics import HttpMetrics, MeasureRequests, metrics_router
from tandem.platform.http.request_id import RequestId
from tandem.platform.limits import REQUEST_BODY_BYTES_MAX


def create_api(
    title: str,
    *,
    version: str,
    description: str = "",
    registry: CollectorRegistry,
    health: Health,
    metrics_dependencies: Sequence[Any] = (),
    lifespan: Lifespan[FastAPI] | None = None,
    body_bytes_max: int = REQUEST_BODY_BYTES_MAX,
    new_request_id: Callable[[], str] = lambda: uuid.uuid4().hex,
) -> FastAPI:
    """Make an application with problems, limits, request ids, health, metrics and OpenAPI 3.1.

    `metrics_dependencies` guard `/metrics`; health, `/docs` and `/openapi.json` are open.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        lifespan=lifespan,
        middleware=[
            Middleware(RequestId, new_id=new_request_id),
            Middleware(MeasureRequests, metrics=HttpMetrics(registry)),
            Middleware(problems.UnhandledErrors),
            Middleware(BodyLimit, bytes_max=body_bytes_max),
        ],
        responses={"default": {"model": problems.Problem, "description": "A problem (RFC 9457)"}},
    )
    problems.install(app)
    app.include_router(health.router())
    app.include_router(metrics_router(registry, metrics_dependencies))
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    """Describe errors as they are sent: as problems, and 400 for what does not validate."""
    generate = app.openapi

    corrected: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        nonlocal corrected
        schema = generate()
        if schema is corrected:
            return schema
        corrected = schema
        for operations in schema.get("paths", {}).values():
            for operation in operations.values():
                _correct_responses(operation.get("responses", {}))
        for unused in ("HTTPValidationError", "ValidationError"):
            schema.get("components", {}).get("schemas", {}).pop(unused, None)
        return schema

    app.openapi = openapi  # type: ignore[method-assign]  # the framework's documented way


def _correct_responses(responses: dict[str, Any]) -> None:
    validation = responses.get("422", {}).get("content", {}).get("application/json", {})
    if validation.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del responses["422"]
    for status, response in responses.items():
        content = response.get("content", {})
        if not status.startswith("2"):
            # The framework describes them in the media type of the route's usual answer.
            for media_type in content.keys() & {"application/json", "text/plain"}:
                content[problems.MEDIA_TYPE] = content.pop(media_type)
