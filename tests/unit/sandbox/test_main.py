"""What the process is configured with."""

import pytest

from tandem.platform.webhooks.signing import write_secret
from tandem.sandbox.keys import ConfigurationError
from tandem.sandbox.main import ADMIN_TOKEN_VARIABLE, CLIENTS_VARIABLE, configure

_CLIENTS = '[{"id": "courier", "secrets": ["sixteen-letters-or-more"], "plan": "starter"}]'
_ADMIN_TOKEN = "admin-token-of-length"  # noqa: S105 - known to this test only


def _secret() -> str:
    return "a-secret-that-was-made-up"


def test_environment_is_taken() -> None:
    """Clients and admin token come from the environment; then nothing is made up or shown."""
    environment = {CLIENTS_VARIABLE: _CLIENTS, ADMIN_TOKEN_VARIABLE: _ADMIN_TOKEN}
    config, made_up = configure(
        environment, valhalla_url="http://127.0.0.1:1", seed=4, new_secret=_secret
    )
    (client,) = config.clients
    assert (client.id, client.plan.name) == ("courier", "starter")
    assert config.admin_token == _ADMIN_TOKEN
    assert config.seed == 4
    assert made_up == []
    assert "admin-token" not in repr(config)


def test_missing_credentials_are_made_up_and_told() -> None:
    """Without settings there is one client and an admin token, each told once."""
    config, made_up = configure(
        {},
        valhalla_url="http://127.0.0.1:1",
        seed=1,
        new_secret=_secret,
        new_key=lambda: bytes(32),
    )
    assert config.clients[0].secrets == (_secret(),)
    assert made_up == [
        f"client_id=demo client_secret={_secret()}",
        f"webhook_secret={write_secret(bytes(32))}",
        f"admin_token={_secret()}",
    ]


def test_short_admin_token_is_refused() -> None:
    """A token that could be guessed does not guard anything."""
    environment = {CLIENTS_VARIABLE: _CLIENTS, ADMIN_TOKEN_VARIABLE: "short"}
    with pytest.raises(ConfigurationError, match="at least 16"):
        configure(environment, valhalla_url="http://127.0.0.1:1", seed=1)
