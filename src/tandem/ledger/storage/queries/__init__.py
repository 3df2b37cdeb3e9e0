"""Named SQL, one statement a file, pasteable into psql."""

from functools import cache
from importlib.resources import files


@cache
def query(name: str) -> str:
    """Return the text of a named statement."""
    return files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
