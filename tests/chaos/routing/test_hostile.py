"""Whatever a provider sends: an error that says what it is, and memory that hardly grows (G13)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final

import pytest
from tests.support.engine import RunningSandbox

_GROWTH_BYTES_MAX: Final = 16 * 1024 * 1024
_RULES: Final[list[tuple[dict[str, Any], str]]] = [
    ({"kind": "bomb"}, "bad_payload"),
    ({"kind": "huge"}, "bad_payload"),
    ({"kind": "nested"}, "bad_payload"),
    ({"kind": "nan"}, "bad_payload"),
    ({"kind": "swap"}, "bad_payload"),
    ({"kind": "units"}, "bad_payload"),
    ({"kind": "empty"}, "bad_payload"),
    ({"kind": "html"}, "gateway_html"),
    ({"kind": "html", "status": 200}, "gateway_html"),
    ({"kind": "truncate"}, "truncated"),
    ({"kind": "truncate_unseen"}, "bad_payload"),
    ({"kind": "reset"}, "connect_failed"),
    ({"kind": "error_body"}, "quota_exhausted"),
    ({"kind": "redirect", "location": "http://127.0.0.1:9/"}, "bad_payload"),
]


@pytest.fixture(scope="module")
def victim(sandbox_process: RunningSandbox) -> Iterator[subprocess.Popen[str]]:
    """A process of its own, so that what its memory did is its own doing."""
    sandbox_process.clear()
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.victim", sandbox_process.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("rule", "code"), _RULES, ids=lambda one: str(one.get("kind")) if isinstance(one, dict) else ""
)
def test_a_hostile_body(
    sandbox: RunningSandbox,
    victim: subprocess.Popen[str],
    version: str,
    rule: dict[str, Any],
    code: str,
) -> None:
    """It is refused as what it is, within 16 MiB."""
    path = {"v1": "/v1/route", "v2": "/v2/routes:compute"}[version]
    sandbox.set_faults({"endpoint": path, **rule})
    assert victim.stdin is not None
    assert victim.stdout is not None
    victim.stdin.write(f"{version}\n")
    victim.stdin.flush()
    told, growth_bytes = json.loads(victim.stdout.readline())
    assert told == code
    assert growth_bytes <= _GROWTH_BYTES_MAX
