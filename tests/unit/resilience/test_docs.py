"""The examples of the page on resilience are run as they stand."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

_PAGE: Final = Path(__file__).parents[3] / "docs" / "internals" / "resilience.md"
_BLOCKS: Final = re.findall(r"```python\n(.*?)```", _PAGE.read_text("utf-8"), re.DOTALL)


def test_the_page_has_examples() -> None:
    """A page whose fences were renamed would pass unseen."""
    assert len(_BLOCKS) == 11


@pytest.mark.parametrize("number", range(len(_BLOCKS)))
def test_examples_run(number: int) -> None:
    """Each in a process of its own, as a reader would."""
    subprocess.run([sys.executable, "-c", _BLOCKS[number]], check=True, timeout=60)
