"""Secrets from a watched file: what is in force, what is refused, and that nothing tells them."""

import json
import traceback
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tandem.platform.errors import SettingsError
from tandem.platform.secrets import SecretsFile
from tandem.platform.telemetry import redact_text

_NAMES = ("bikemap.client_secret", "graphhopper.key")
_BROKEN = "tandem_secrets_broken"
_CANARY = "a-canary-in-a-file-of-secrets"


def _write(path: Path, text: str) -> Path:
    """Replace the file as operators should: by a rename, and for nobody but its owner."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o600)
    fresh.rename(path)
    return path


def _said(**secrets: list[str]) -> str:
    return json.dumps({name.replace("__", "."): values for name, values in secrets.items()})


def _values(file: SecretsFile, name: str) -> list[str]:
    return [value.get_secret_value() for value in file.live(name)()]


def test_a_changed_file_is_in_force_for_who_holds_a_source(tmp_path: Path) -> None:
    """Two values are live while one takes the other's place."""
    path = _write(tmp_path / "secrets.json", _said(graphhopper__key=["one"]))
    file = SecretsFile(path, _NAMES, CollectorRegistry())
    source = file.live("graphhopper.key")
    _write(path, _said(graphhopper__key=["two", "one"]))
    assert file.file.reload()
    assert [value.get_secret_value() for value in source()] == ["two", "one"]
    assert file.has("graphhopper.key")
    assert not file.has("bikemap.client_secret")
    assert _values(file, "bikemap.client_secret") == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        f'{{"graphhopper.key": "{_CANARY}"}}',
        f'{{"graphhopper.key": ["{_CANARY}", 3]}}',
        f'{{"graphhopper.key": ["{_CANARY}"',
        f'{{"grasshopper.key": ["{_CANARY}"]}}',
        '{"graphhopper.key": []}',
        '{"graphhopper.key": [""]}',
        f'{{"graphhopper.key": ["{_CANARY}", "b", "c"]}}',
        "[" * 100_000,
        " " * 300_000,
    ],
)
def test_a_broken_file_changes_nothing_and_tells_nothing(tmp_path: Path, text: str) -> None:
    """The last good secrets stay in force; errors say what is wrong, and no secret."""
    path = _write(tmp_path / "secrets.json", _said(graphhopper__key=["one"]))
    registry = CollectorRegistry()
    file = SecretsFile(path, _NAMES, registry)
    _write(path, text)
    assert not file.file.reload()
    assert _values(file, "graphhopper.key") == ["one"]
    assert registry.get_sample_value(_BROKEN) == 1
    with pytest.raises(SettingsError) as raised:
        SecretsFile(path, _NAMES, CollectorRegistry())
    assert _CANARY not in "".join(traceback.format_exception(raised.value))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Its owner alone has a business with it."""
    path = _write(tmp_path / "secrets.json", _said(graphhopper__key=["one"]))
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        SecretsFile(path, _NAMES, CollectorRegistry())


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """At the start; later the last good secrets stay in force."""
    with pytest.raises(SettingsError, match="No such file"):
        SecretsFile(tmp_path / "none.json", _NAMES, CollectorRegistry())


def test_no_log_line_has_a_secret_that_was_read(tmp_path: Path) -> None:
    """Whatever else goes wrong; nor its form in a URL."""
    secret = "looks like nothing/secret"  # noqa: S105 - it is one of this test's
    path = _write(tmp_path / "secrets.json", _said(graphhopper__key=[secret]))
    file = SecretsFile(path, _NAMES, CollectorRegistry())
    assert secret not in repr(file.file.current)
    assert redact_text(f"it {secret} is") == "it [redacted] is"
    assert redact_text("/r?key=looks%20like%20nothing%2Fsecret&x=1") == "/r?key=[redacted]&x=1"
