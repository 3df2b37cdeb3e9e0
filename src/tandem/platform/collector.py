"""The garbage collector of a process that keeps large caches of small objects."""

import gc
from typing import Final

# Objects made before a young collection, and how many of those before the next older one.
_THRESHOLDS: Final = (50_000, 20, 50)


def relax_collector() -> None:
    """Collect less often: caches of long-lived tuples are else walked again and again in vain.

    For the main program only; a library leaves its host's collector alone. What is counted by
    references alone, which is nearly everything here, is freed at once all the same.
    """
    gc.set_threshold(*_THRESHOLDS)
