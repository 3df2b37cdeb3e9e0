"""What can go wrong with the engine.

EngineError
├── ExtractError    the map extract cannot be had, or is not the one that was expected
├── TilesError      the routing tiles could not be built
└── ServiceError    the engine's process did not start, died or did not answer
"""

from tandem.platform.errors import PlatformError


class EngineError(PlatformError):
    """An operating error of the routing engine; its message is fit to show to an operator."""


class ExtractError(EngineError):
    """The map extract cannot be had, or is not the one that was expected."""


class TilesError(EngineError):
    """The routing tiles could not be built."""


class ServiceError(EngineError):
    """The engine's process did not start, died or did not answer."""
