"""The map extract: checked by content, from a local copy or a package, with clear errors."""

from pathlib import Path

import pytest

from tandem.platform.engine import limits
from tandem.platform.engine.errors import ExtractError
from tandem.platform.engine.extract import obtain_extract

_VARIABLE = limits.EXTRACT_OVERRIDE_VARIABLE


def test_wrong_local_copy_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with other bytes is not taken, and nothing is left under the extract's name."""
    copy = tmp_path / "copy.pbf"
    copy.write_bytes(b"not a map")
    monkeypatch.setenv(_VARIABLE, str(copy))
    with pytest.raises(ExtractError, match="SHA-256 differs"):
        obtain_extract(tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_unreadable_local_copy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says which variable led to which missing file."""
    monkeypatch.setenv(_VARIABLE, str(tmp_path / "missing.pbf"))
    with pytest.raises(ExtractError, match=f"{_VARIABLE}=.*missing.pbf cannot be read"):
        obtain_extract(tmp_path / "cache")


def test_download_gives_up_after_its_attempts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a registry the attempts are bounded and the message tells the way out."""
    monkeypatch.delenv(_VARIABLE, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    pauses_s: list[float] = []
    with pytest.raises(ExtractError, match=f"set {_VARIABLE} to its path to work offline"):
        obtain_extract(tmp_path / "cache", pause=pauses_s.append)
    assert len(pauses_s) == limits.DOWNLOAD_ATTEMPTS_MAX - 1
