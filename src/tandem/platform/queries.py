"""Named SQL: one statement a file in a package, pasteable into psql."""

from functools import cache
from importlib.resources import files


@cache
def read_query(package: str, name: str) -> str:
    """Return the text of a package's statement `name`."""
    return files(package).joinpath(f"{name}.sql").read_text(encoding="utf-8")
