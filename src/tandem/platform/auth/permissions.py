"""What a caller may be allowed, and the caller once known."""

from dataclasses import dataclass
from enum import StrEnum


class Permission(StrEnum):
    """One thing that a key may do; none implies another."""

    READ = "read"
    WRITE = "write"
    OVERRIDE_LIMITS = "override_limits"
    ROUTE = "route"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose key was verified."""

    key_id: str
    name: str
    permissions: frozenset[Permission]
