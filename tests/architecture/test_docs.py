"""The documentation points at what exists and names every setting."""

import re
from pathlib import Path

import pytest

from tandem.platform.config import PREFIX, Settings

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def test_links_lead_somewhere() -> None:
    """Every relative link of the README and the docs is a file."""
    pages = [*_ROOT.glob("*.md"), *(_ROOT / "docs").rglob("*.md"), _ROOT / "bench" / "README.md"]
    broken = [
        f"{page.name} -> {link}"
        for page in pages
        for link in _LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_every_setting_is_documented() -> None:
    """The settings page names each variable."""
    page = (_ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    missing = [name for name in Settings.model_fields if f"`{PREFIX}{name.upper()}`" not in page]
    assert missing == []


@pytest.mark.parametrize("name", ["conformance", "quirks"])
def test_every_test_of_a_table_exists(name: str) -> None:
    """Each `module.py::name` of a table is defined in that module."""
    page = (_ROOT / "docs" / "internals" / f"{name}.md").read_text(encoding="utf-8")
    missing = []
    for module, function in re.findall(r"`([a-z_0-9/]+\.py)::(\w+)`", page):
        path = module if "/" in module else f"tests/conformance/{module}"
        if f"def {function}(" not in (_ROOT / path).read_text(encoding="utf-8"):
            missing.append(f"{path}::{function}")
    assert missing == []
