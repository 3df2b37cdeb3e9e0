"""How the interpreter of a main program is set; a library leaves its host's alone."""

import gc
import sys
from typing import Final

# Objects made before a young collection, and how many of those before the next older one.
_COLLECTOR_THRESHOLDS: Final = (50_000, 20, 50)
_SWITCH_INTERVAL_S: Final = 0.000_5


def tune_interpreter() -> None:
    """Collect less often, and change threads more often.

    Caches of long-lived tuples are else walked again and again in vain; what is counted by
    references alone, which is nearly everything here, is freed at once all the same. And a thread
    that appends, which needs the interpreter a dozen times for a moment, else waits 5 ms each time.
    """
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
