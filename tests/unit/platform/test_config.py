"""Settings: what is set is read, and what cannot be is refused in one clear line each."""

from pathlib import Path

import pytest

from tandem.platform.config import load_settings
from tandem.platform.errors import SettingsError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_TEST_DATABASE_URL", raising=False)


def test_defaults_need_nothing() -> None:
    """Without any variable the server is on loopback with its own database."""
    settings = load_settings()
    assert (settings.host, settings.port, settings.ledger) == ("127.0.0.1", 8650, "main")
    assert settings.database_url is None
    assert settings.postgres_directory == Path(".tandem/postgres")


def test_the_caller_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option that was given replaces the variable; one that was not does not."""
    monkeypatch.setenv("TANDEM_PORT", "1")
    assert load_settings(port=None).port == 1
    assert load_settings(port=2).port == 2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TANDEM_PORT", "70000", "TANDEM_PORT: .*65535"),
        ("TANDEM_PORT", "x", "TANDEM_PORT: .*integer"),
        ("TANDEM_HOST", "0.0.0.0", "TANDEM_HOST: .*loopback only"),  # noqa: S104 - it is refused
        ("TANDEM_HOST", "example.com", "TANDEM_HOST: .*loopback only"),
        ("TANDEM_LEDGER", "Main Ledger", "TANDEM_LEDGER: "),
        ("TANDEM_LOG_LEVEL", "loud", "TANDEM_LOG_LEVEL: "),
        ("TANDEM_BIKEMAP_CLIENT_ID", "me", "bikemap_client_id needs bikemap_base_url"),
        ("TANDEM_VALHALLA_URL", "ftp://x", "TANDEM_VALHALLA_URL: "),
        ("TANDEM_PROT", "1", "TANDEM_PROT is not a setting"),
    ],
)
def test_bad_settings_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """The error says which variable, and what is wrong with it."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_every_fault_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two faults take one attempt to find, not two."""
    monkeypatch.setenv("TANDEM_PORT", "-1")
    monkeypatch.setenv("TANDEM_LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert len(str(caught.value).splitlines()) == 2


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings' text nor an error about them holds a secret."""
    monkeypatch.setenv("TANDEM_DATABASE_URL", "postgresql://me:hunter2@db/x")
    assert "hunter2" not in repr(load_settings())
    monkeypatch.setenv("TANDEM_BIKEMAP_CLIENT_SECRET", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)
