"""What a provider allows to be kept, and how long it is worth keeping."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Seconds for which an answer is fresh; then shown while a new one comes, or none comes.

    Providers' terms differ, so this belongs to a provider and an operation. `negative` is whether
    its refusals may be kept too.
    """

    fresh_s: float = 0.0
    revalidate_s: float = 0.0
    on_error_s: float = 0.0
    negative: bool = True

    @property
    def may_keep(self) -> bool:
        """Whether answers may be kept at all."""
        return self.fresh_s + self.revalidate_s + self.on_error_s > 0


KEEP_NOTHING: Final = CachePolicy()
