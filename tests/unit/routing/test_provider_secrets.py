"""Whether each provider has what it is asked with."""

import json
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tandem.platform.config import Settings
from tandem.platform.errors import SettingsError
from tandem.platform.secrets import SecretsFile
from tandem.routing.provider_secrets import CLIENT_SECRET, GRAPHHOPPER_KEY, NAMES, ProviderSecrets

_URL = "https://bikemap.example"


def _secrets(tmp_path: Path, kept: dict[str, list[str]], **settings: Any) -> ProviderSecrets:
    path = tmp_path / "secrets.json"
    path.touch(0o600)
    path.write_text(json.dumps(kept))
    file = SecretsFile(path, NAMES, CollectorRegistry())
    return ProviderSecrets(Settings(secrets_file=path, **settings), file)


@pytest.mark.parametrize(
    ("kept", "settings", "message"),
    [
        ({}, {"bikemap_base_url": _URL, "bikemap_client_id": "me"}, "wants a secret"),
        ({CLIENT_SECRET: ["a"]}, {"bikemap_base_url": _URL}, "wants TANDEM_BIKEMAP_CLIENT_ID"),
        ({}, {"bikemap_base_url": _URL}, "goes with"),
        ({}, {"graphhopper_url": _URL}, "go together"),
        ({GRAPHHOPPER_KEY: ["a"]}, {}, "go together"),
        (
            {GRAPHHOPPER_KEY: ["a"]},
            {"graphhopper_url": _URL, "graphhopper_keys": "b"},
            "and in the environment",
        ),
        (
            {},
            {"bikemap_base_url": _URL, "bikemap_v1_keys": "a", "bikemap_callback_url": _URL},
            "wants bikemap.webhook_secret",
        ),
    ],
)
def test_half_a_provider_is_refused(
    tmp_path: Path, kept: dict[str, list[str]], settings: dict[str, Any], message: str
) -> None:
    """The error names what is missing, or there twice."""
    with pytest.raises(SettingsError, match=message):
        _secrets(tmp_path, kept, **settings)


def test_each_place_will_do(tmp_path: Path) -> None:
    """One provider's secret may be in the file, and another's in the environment."""
    secrets = _secrets(
        tmp_path,
        {CLIENT_SECRET: ["new", "old"]},
        bikemap_base_url=_URL,
        bikemap_client_id="me",
        graphhopper_url=_URL,
        graphhopper_keys="one,two",
    )
    assert secrets.client is not None
    assert secrets.graphhopper is not None
    assert [value.get_secret_value() for value in secrets.client()] == ["new", "old"]
    assert [value.get_secret_value() for value in secrets.graphhopper()] == ["one", "two"]
    assert (secrets.v1, secrets.webhooks) == (None, None)
