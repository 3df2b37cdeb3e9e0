"""Which of a provider's live secrets to use: the newest, unless it was refused lately.

So a secret is changed without a failed call: the provider takes a new one, it is put before the old
one here, it is seen to work, and the old one is revoked there and removed here.
"""

import logging
import time
from collections.abc import Sequence
from typing import Final

from tandem.platform.limits import SECRETS_LIVE_MAX
from tandem.platform.secrets import LiveSecrets
from tandem.resilience.deadline import Clock
from tandem.routing.limits import CREDENTIAL_REFUSED_S

_log: Final = logging.getLogger(__name__)


class Credentials:
    """The live secrets of one provider.

    One that is refused goes to the back for a while: each call must not try it again in vain.
    """

    def __init__(self, name: str, live: LiveSecrets, clock: Clock = time.monotonic) -> None:
        self._name = name
        self._live = live
        self._clock = clock
        self._refused_until_s: dict[str, float] = {}

    def ordered(self) -> Sequence[str]:
        """Return the live secrets in the order in which to try them."""
        values = [secret.get_secret_value() for secret in self._live()[:SECRETS_LIVE_MAX]]
        now_s = self._clock()
        self._refused_until_s = {
            value: until_s
            for value, until_s in self._refused_until_s.items()
            if value in values and now_s < until_s
        }
        return sorted(values, key=self._refused_until_s.__contains__)

    def refused(self, value: str) -> None:
        """Note that a secret was not accepted."""
        if value not in self._refused_until_s:
            _log.warning("%s does not accept one of its live credentials", self._name)
        self._refused_until_s[value] = self._clock() + CREDENTIAL_REFUSED_S

    def accepted(self, value: str) -> None:
        """Note that a secret was accepted."""
        self._refused_until_s.pop(value, None)

    def refused_now(self) -> int:
        """Return how many live secrets were refused lately; the others are thought good."""
        return len(self._refused_until_s.keys() & set(self.ordered()))
