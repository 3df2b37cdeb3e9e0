"""Requests that nobody thought of: what the contracts promise of answers holds for all of them."""

from typing import Any

import pytest
import schemathesis
from anyio import to_thread
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from tests.support.contract import Contract
from tests.support.sandbox import CLIENT_ID, CLIENT_SECRET, served_sandbox

pytestmark = pytest.mark.anyio

_EXAMPLES, _EXAMPLES_DRILL = 4, 500
_FAILED = 500
_CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
# What is too long is refused as too large, and version 1 knows a status of its own for profiles.
_CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {"negative_data_rejection": {"expected-statuses": ["4xx", 501]}},
        "generation": {"with-security-parameters": False},
    }
)
_SCHEMAS = {
    version: schemathesis.openapi.from_dict(Contract(f"bikemap-{version}").document, config=_CONFIG)
    for version in ("v1", "v2")
}


def _can_be_bad(operation: Any) -> bool:
    """Tell whether there are bad requests at all: any text is a good id."""
    return bool(operation.body or operation.query or operation.headers)


_OPERATIONS = [
    pytest.param(version, path, method, mode, id=f"{method} {path} {mode.value}")
    for version, schema in _SCHEMAS.items()
    for path, item in schema.items()
    for method in item
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if mode is GenerationMode.POSITIVE or _can_be_bad(item[method])
]


@pytest.mark.parametrize(
    "examples", [_EXAMPLES, pytest.param(_EXAMPLES_DRILL, marks=pytest.mark.drill)]
)
@pytest.mark.parametrize(("version", "path", "method", "mode"), _OPERATIONS)
async def test_answers_are_as_promised(
    valhalla_url: str, version: str, path: str, method: str, mode: GenerationMode, examples: int
) -> None:
    """No failure of the server, and status, form and headers as documented."""
    load_all_checks()
    checks: Any = [CHECKS.get_one(name) for name in _CHECKS]
    operation = _SCHEMAS[version][path][method]
    async with served_sandbox(valhalla_url) as sandbox:
        token = (await sandbox.ask_token(CLIENT_ID, CLIENT_SECRET)).json["access_token"]
        is_old = version == "v1"
        headers = {"X-Api-Key": CLIENT_SECRET} if is_old else {"Authorization": f"Bearer {token}"}

        @settings(
            max_examples=examples,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(mode))
        def run(case: Any) -> None:
            own = dict(case.headers or {})
            answer = case.call(base_url=sandbox.url, headers=headers | own)
            assert answer.status_code != _FAILED, answer.text
            case.validate_response(answer, checks=checks)

        await to_thread.run_sync(run)
