"""Profiles: what is usual where, what prod refuses, and that the documentation says the same."""

import re
from pathlib import Path

import pytest

from tandem.platform.config import PREFIX, LogFormat, Settings, WebhookReach, load_settings
from tandem.platform.errors import SettingsError
from tandem.platform.profiles import DEFAULTS, Profile, is_encrypted

_DOCS = Path(__file__).parents[3] / "docs"
_WHOLE = {
    "profile": "prod",
    "database_url": "postgresql://db.internal/tandem?sslmode=verify-full",
    "webhook_key": "k",
    "signing_key": Path("signing.key"),
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TANDEM_TEST_DATABASE_URL", "TANDEM_PROFILE", "PGHOST", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


def test_a_profile_is_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is set wins, wherever it comes from."""
    monkeypatch.setenv("TANDEM_PROFILE", "staging")
    assert load_settings().log_format is LogFormat.JSON
    assert load_settings().webhook_reach is WebhookReach.PUBLIC
    monkeypatch.setenv("TANDEM_LOG_FORMAT", "console")
    assert load_settings().log_format is LogFormat.CONSOLE
    assert load_settings(webhook_reach="any").webhook_reach is WebhookReach.ANY
    monkeypatch.setenv("TANDEM_PROFILE", "")
    assert load_settings().profile is Profile.DEV
    with pytest.raises(SettingsError, match=r"TANDEM_PROFILE: .*'staging' or 'prod'"):
        load_settings(profile="production")


def test_profiles_are_data() -> None:
    """All have the same settings, and those of dev are the settings' own defaults."""
    assert {frozenset(usual) for usual in DEFAULTS.values()} == {frozenset(DEFAULTS[Profile.DEV])}
    for name, value in DEFAULTS[Profile.DEV].items():
        assert Settings.model_fields[name].default == value


def test_the_table_of_the_documentation_is_true() -> None:
    """Every setting that depends on the profile, with what it is in each, and no other."""
    table = (
        (_DOCS / "reference" / "settings.md")
        .read_text(encoding="utf-8")
        .partition("## Profiles")[2]
    )
    rows = [line for line in table.splitlines() if line.startswith("| `TANDEM_")]
    assert rows == [
        f"| `{PREFIX}{name.upper()}` | "
        + " | ".join(f"`{str(DEFAULTS[profile][name]).lower()}`" for profile in Profile)
        + " |"
        for name in DEFAULTS[Profile.DEV]
    ]


def test_the_first_prod_of_the_documentation_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is written there."""
    page = (_DOCS / "operating" / "environments.md").read_text(encoding="utf-8")
    for name, value in re.findall(r"^(TANDEM_[A-Z_]+)=(\S+)", page, re.MULTILINE):
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.profile is Profile.PROD
    assert settings.bikemap_credits_per_day == 50_000


@pytest.mark.parametrize("name", ["bikemap_base_url", "graphhopper_url"])
def test_secrets_are_not_sent_in_the_clear(name: str) -> None:
    """But to this machine, or where that is wanted; our own Valhalla gets none."""
    plain = {name: "http://provider.example/api", "valhalla_url": "http://valhalla:8002"}
    with pytest.raises(SettingsError, match=f"{name} is http: secrets would be sent"):
        load_settings(profile="staging", **plain)
    load_settings(profile="dev", **plain)
    load_settings(profile="staging", require_provider_tls=False, **plain)
    for host in ("localhost", "127.0.0.1", "[::1]"):
        load_settings(**{**plain, "profile": "staging", name: f"http://{host}:8651"})


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"require_provider_tls": False}, "require_provider_tls is off"),
        ({"webhook_reach": "any"}, "webhook_reach is more than public"),
        ({"webhook_key": None}, "database_url without webhook_key"),
        ({"signing_key": None}, "database_url without signing_key"),
        ({"database_url": "postgresql://db.internal/tandem"}, "database_url without sslmode"),
    ],
)
def test_prod_refuses_what_is_unsafe(wrong: dict[str, object], fault: str) -> None:
    """In words that name the setting; others do not, nor does prod where somebody knows better."""
    load_settings(**_WHOLE)
    with pytest.raises(SettingsError, match=f"not in prod: {fault}"):
        load_settings(**(_WHOLE | wrong))
    load_settings(**(_WHOLE | wrong), refuse_unsafe=False)
    load_settings(**(_WHOLE | wrong | {"profile": "staging"}))


def test_prod_tells_every_fault_at_once() -> None:
    """So that they take one attempt to mend."""
    with pytest.raises(SettingsError) as caught:
        load_settings(profile="prod", database_url="host=db.internal", webhook_reach="loopback")
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("dbname=x", True),
        ("host=/run/postgresql", True),
        ("postgresql://localhost,127.0.0.1/x", True),
        ("postgresql://localhost,db/x", False),
        ("postgresql://db/x?sslmode=prefer", False),
        ("postgresql://db/x?sslmode=require", True),
        ("hostaddr=10.0.0.1", False),
        ("not a conninfo", True),
    ],
)
def test_what_leaves_the_machine_is_encrypted(conninfo: str, expected: bool) -> None:
    """Read as libpq reads it."""
    assert is_encrypted(conninfo) is expected


def test_libpqs_own_variables_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are what a connection string leaves out."""
    monkeypatch.setenv("PGHOST", "db")
    assert not is_encrypted("dbname=x")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert is_encrypted("dbname=x")
