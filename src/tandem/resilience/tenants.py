"""Slots among tenants: each keeps what it lately used, and what is left over is anybody's.

A tenant may always take a slot below its fair share, the limit divided by the tenants that are
there. Beyond that it may take what is free less what the others lately had in flight and have not
now. So one that asks for ten times as much as before gets what nobody uses, and takes nobody's.
"""

from dataclasses import dataclass
from typing import Final

from tandem.resilience.limits import TENANT_EPOCH_S, TENANTS_MAX

_OTHERS: Final = ""


@dataclass(slots=True)
class _Tenant:
    in_flight: int = 0
    peak: int = 0
    peak_before: int = 0

    @property
    def unused(self) -> int:
        """What it lately wanted to have in flight and has not now."""
        return max(0, max(self.peak, self.peak_before) - self.in_flight)


class TenantShares:
    """Who has how much in flight, and lately had; it is told the time (monotonic seconds).

    Beyond `TENANTS_MAX` of them, further tenants share as if they were one.
    """

    def __init__(self) -> None:
        self._tenants: dict[str, _Tenant] = {}
        self._unused = 0
        self._epoch_at_s = 0.0

    def __len__(self) -> int:
        return len(self._tenants)

    def in_flight(self, tenant: str) -> int:
        """How many calls of a tenant are in flight."""
        found = self._tenants.get(tenant)
        return 0 if found is None else found.in_flight

    def claim(self, tenant: str, free: int, limit: int, now_s: float) -> str | None:
        """Take one of the free slots; returns whose it is, for `release`, or None for none.

        What was asked for counts as wanted, whether it was given or not.
        """
        self._turn(now_s)
        name = self._name(tenant)
        own = self._tenants.setdefault(name, _Tenant())
        self._unused -= own.unused
        own.peak = max(own.peak, own.in_flight + 1)
        is_fair = own.in_flight * len(self._tenants) < limit
        may_take = free > 0 and (is_fair or free > self._unused)
        own.in_flight += may_take
        self._unused += own.unused
        return name if may_take else None

    def release(self, name: str) -> None:
        """Give a slot back, by the name that `claim` returned."""
        own = self._tenants[name]
        self._unused -= own.unused
        own.in_flight -= 1
        self._unused += own.unused

    def _name(self, tenant: str) -> str:
        is_known = tenant in self._tenants or len(self._tenants) < TENANTS_MAX
        return tenant if is_known else _OTHERS

    def _turn(self, now_s: float) -> None:
        """Forget what was wanted two epochs ago, and who is gone since."""
        if now_s - self._epoch_at_s < TENANT_EPOCH_S:
            return
        is_long_ago = now_s - self._epoch_at_s >= 2 * TENANT_EPOCH_S
        self._epoch_at_s = now_s
        for tenant in self._tenants.values():
            tenant.peak_before = tenant.in_flight if is_long_ago else tenant.peak
            tenant.peak = tenant.in_flight
        self._tenants = {
            name: tenant
            for name, tenant in self._tenants.items()
            if tenant.in_flight or tenant.peak_before
        }
        self._unused = sum(tenant.unused for tenant in self._tenants.values())
