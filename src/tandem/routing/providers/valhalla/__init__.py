"""Our own Valhalla: the same network, computed by ourselves.

`adapter` asks, `questions` and `replies` are pure: the domain's words into Valhalla's and back.
"""

from tandem.routing.providers.valhalla.adapter import Valhalla

__all__ = ["Valhalla"]
