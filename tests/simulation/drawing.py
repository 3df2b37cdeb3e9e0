"""What clients ask for: random commands over few accounts, so that they meet."""

import random
from typing import Final, NamedTuple

from tests.simulation.history import Known
from tests.simulation.plan import Plan

from tandem.ledger import api, commands
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.times import from_us

_CLASSES: Final = ("asset", "liability", "equity", "income", "expense")
_HUGE_MINOR: Final = 2**126


class Place(NamedTuple):
    """An account to be."""

    address: str
    asset: str
    account_class: str
    min_balance_minor: int | None
    max_balance_minor: int | None


def draw_places(chance: random.Random, plan: Plan) -> tuple[Place, ...]:
    """Draw the accounts: one without limits per asset, and others."""
    places = [
        Place(f"cash:{asset[:3].lower()}", asset, "asset", None, None) for asset in plan.assets
    ]
    for number in range(plan.accounts):
        limited = chance.random() < plan.limit_chance
        low = chance.choice((0, 0, 0, -50)) if limited else None
        high = chance.choice((300, 1_000)) if limited and chance.random() < 0.4 else None
        asset = chance.choice(plan.assets)
        classes = _CLASSES if low is None else ("liability", "liability", "asset")
        places.append(Place(f"wallets:{number}", asset, chance.choice(classes), low, high))
    return tuple(places)


class Drawer:
    """Draws commands for one client."""

    def __init__(
        self, chance: random.Random, plan: Plan, places: tuple[Place, ...], known: Known
    ) -> None:
        self._chance = chance
        self._plan = plan
        self._places = places
        self._known = known

    def opening(self, place: Place, key: str | None) -> SingleCommand:
        """The command that opens an account."""
        return commands.open_account(
            place.address,
            asset=place.asset,
            account_class=place.account_class,
            min_balance_minor=place.min_balance_minor,
            max_balance_minor=place.max_balance_minor,
            idempotency_key=key,
        )

    def single(self, kind: str, key: str | None, now_us: int) -> SingleCommand:
        """Draw a command of a kind."""
        if kind == "hold":
            return self._hold(key, now_us)
        drawers = {
            "transfer": self._transfer,
            "post": self._post,
            "capture": self._capture,
            "release": self._release,
            "reverse": self._reverse,
            "update": self._update,
        }
        return drawers[kind](key)

    def any_single(self, key: str | None, now_us: int) -> SingleCommand:
        """Draw a command of any kind that is on."""
        kinds = [
            kind
            for kind in self._plan.operations_by_kind
            if kind not in ("group", "atomic", "read")
        ]
        return self.single(self._chance.choice(kinds), key, now_us)

    def place(self) -> Place:
        """Pick an account."""
        return self._chance.choice(self._places)

    def _two(self) -> tuple[Place, Place]:
        """Pick two accounts, of one asset but for a few."""
        one = self.place()
        alike = [place for place in self._places if place.asset == one.asset]
        if self._chance.random() < 0.03:
            return one, self.place()
        return one, self._chance.choice(alike)

    def _amount(self) -> int:
        draw = self._chance.random()
        if draw < 0.01:
            return _HUGE_MINOR
        return self._chance.randint(1, 20) if draw < 0.5 else self._chance.randint(1, 150)

    def _reference(self, key: str | None) -> str | None:
        return f"about {key}" if self._chance.random() < 0.2 else None

    def _transfer(self, key: str | None) -> SingleCommand:
        debited, credited = self._two()
        return commands.transfer(
            debit_account=debited.address,
            credit_account=credited.address,
            amount_minor=self._amount(),
            reference=self._reference(key),
            idempotency_key=key,
        )

    def _entries(self) -> list[api.Entry]:
        """Two to six entries, of one asset or two, balanced but for a few."""
        entries: list[api.Entry] = []
        for _ in range(self._chance.randint(1, 3)):
            debited, credited = self._two()
            amount = self._amount()
            off = self._chance.random() < 0.02
            entries.append(api.debit(debited.address, amount))
            entries.append(api.credit(credited.address, amount + off))
        return entries

    def _post(self, key: str | None) -> SingleCommand:
        metadata = {"key": str(key)} if self._chance.random() < 0.2 else None
        return commands.post_transaction(self._entries(), metadata=metadata, idempotency_key=key)

    def _hold(self, key: str | None, now_us: int) -> SingleCommand:
        if self._chance.random() < 0.3:
            entries = self._entries()
        else:
            debited, credited = self._two()
            amount = self._amount()
            entries = [api.debit(debited.address, amount), api.credit(credited.address, amount)]
        after_us = int(self._chance.choice((50_000, 1_000_000, 5_000_000)) * self._chance.random())
        expires_at = from_us(now_us + after_us) if self._chance.random() < 0.7 else None
        total = sum(entry.amount_minor for entry in entries if entry.direction == "debit")
        tip = self._chance.randint(0, 30) if self._chance.random() < 0.3 else None
        return commands.hold(
            entries,
            expires_at=expires_at,
            capture_limit_minor=None if tip is None else total + tip,
            idempotency_key=key,
        )

    def _part(self) -> int | None:
        return None if self._chance.random() < 0.4 else self._chance.randint(1, 60)

    def _capture(self, key: str | None) -> SingleCommand:
        hold = self._known.pick(self._chance, self._known.holds)
        final = self._chance.random() < 0.3
        return commands.capture(hold, amount_minor=self._part(), final=final, idempotency_key=key)

    def _release(self, key: str | None) -> SingleCommand:
        hold = self._known.pick(self._chance, self._known.holds)
        if self._chance.random() < 0.2:
            debited, credited = self._two()
            named = self._chance.randint(1, 30)
            part = [api.debit(debited.address, named), api.credit(credited.address, named)]
            return commands.release(hold, entries=part, idempotency_key=key)
        return commands.release(hold, amount_minor=self._part(), idempotency_key=key)

    def _reverse(self, key: str | None) -> SingleCommand:
        return commands.reverse(
            self._known.pick(self._chance, self._known.posted),
            amount_minor=self._part(),
            override_limits=self._chance.random() < 0.3,
            idempotency_key=key,
        )

    def _update(self, key: str | None) -> SingleCommand:
        address = self.place().address
        draw = self._chance.random()
        if draw < 0.35:
            return commands.update_account(address, status="frozen", idempotency_key=key)
        if draw < 0.8:
            return commands.update_account(address, status="open", idempotency_key=key)
        if draw < 0.85:
            return commands.update_account(address, status="closed", idempotency_key=key)
        low = self._chance.choice((0, -100, "none"))
        return commands.update_account(address, min_balance_minor=low, idempotency_key=key)
