"""Named SQL, one statement a file, pasteable into psql."""

from functools import partial
from typing import Final

from tandem.platform.queries import read_query

query: Final = partial(read_query, __name__)
