"""The guide to the sandbox is true: its commands, its plan of faults, its kinds and its paths."""

import json
import re
import sys
from pathlib import Path

import httpx2
import pytest

from tandem.platform.processes import ChildProcess, free_port
from tandem.sandbox.faults import FaultKind, FaultPlan

_PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "sandbox.md").read_text(encoding="utf-8")
_PLAN = re.findall(r"```json\n(.*?)```", _PAGE, re.DOTALL)[0]


def test_every_kind_is_named() -> None:
    """The table has each kind of fault, and no other."""
    rows = re.findall(r"^\| (`.*?) \|", _PAGE, re.MULTILINE)
    named = {kind for row in rows for kind in re.findall(r"`(\w+)`", row)}
    assert named == {kind.value for kind in FaultKind}


def test_its_commands_do_what_it_says(valhalla_url: str, tmp_path: Path) -> None:
    """Started as it says, with its plan; asked and changed as it says."""
    faults, log, port = tmp_path / "faults.json", tmp_path / "log", free_port()
    faults.write_text(_PLAN)
    options = ("--port", str(port), "--plan", "standard", "--faults", str(faults))
    command = ("-m", "tandem.cli", "sandbox", *options, "--valhalla-url", valhalla_url)
    url = f"http://127.0.0.1:{port}"
    with ChildProcess(
        "sandbox", (sys.executable, *command), log=log, ready_url=f"{url}/health/ready"
    ):
        lines = log.read_text().splitlines()
        assert lines[0] == f"The Bikemap stand-in listens on {url}"
        told = dict(pair.split("=", 1) for line in lines[1:] for pair in line.split(" "))
        admin = {"Authorization": f"Bearer {told['admin_token']}"}
        in_force = httpx2.get(f"{url}/admin/faults", headers=admin).json()
        assert FaultPlan.model_validate(in_force) == FaultPlan.model_validate_json(_PLAN)
        assert httpx2.delete(f"{url}/admin/faults", headers=admin).status_code == 204
        auth = (told["client_id"], told["client_secret"])
        grant = {"grant_type": "client_credentials"}
        token = httpx2.post(f"{url}/v2/oauth2/token", data=grant, auth=auth).json()
        (body,) = re.findall(r"-d '(\{.*?\})'", _PAGE)
        headers = {
            "Authorization": f"Bearer {token['access_token']}",
            "Bikemap-Version": "2026-09-01",
        }
        answer = httpx2.post(f"{url}/v2/routes:compute", json=json.loads(body), headers=headers)
        assert answer.json()["routes"]
        assert answer.headers["ratelimit-policy"].startswith('"burst";q=10')
        for method, path, said in re.findall(r"`(PUT) (/admin/\S+)` `(\{.*?\})`", _PAGE):
            answer = httpx2.request(
                method,
                url + path.replace("{id}", told["client_id"]),
                json=json.loads(said.replace("new", "n" * 16).replace("old", "o" * 16)),
                headers=admin,
            )
            assert answer.status_code == 204


@pytest.mark.parametrize(
    ("text", "message"), [("{", "faults.json"), ('{"rules": [{"kind": "odd"}]}', "rules.0.kind")]
)
def test_faults_that_make_no_sense(tmp_path: Path, text: str, message: str) -> None:
    """They end the process at once, with one line."""
    faults, log = tmp_path / "faults.json", tmp_path / "log"
    faults.write_text(text)
    command = ("-m", "tandem.cli", "sandbox", "--faults", str(faults), "--valhalla-url", "http://x")
    process = ChildProcess("sandbox", (sys.executable, *command), log=log)
    process.start()
    assert process.wait() == 2
    (line,) = log.read_text().strip().splitlines()
    assert message in line
