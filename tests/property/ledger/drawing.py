"""Random commands for the state machine: mostly sensible, sometimes wrong in every known way."""

import itertools
from collections.abc import Mapping, Sequence

from hypothesis import strategies as st
from tests.property.ledger.deeds import Deed
from tests.property.ledger.reference import Reference

from tandem.ledger import commands
from tandem.ledger.api import Direction, Entry, credit, debit
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.times import from_us

HALF_MINUTE_US = 30_000_000
LARGEST_MINOR = 2**127 - 1

# Accounts by asset; those of the second line are opened by a command or never.
EUR = ("cash", "wallets:alice", "wallets:bob", "wallets:carol", "revenue")
JPY = ("till", "wallets:dora")
LATER = ("wallets:erin", "wallets:frank", "nobody")
# Without limits and apart, because a running total that is nearly full never comes down again.
VAULTS = ("vault", "void")
EVERYBODY = (*EUR, *JPY, *LATER, *VAULTS)

KINDS = ("open", "update", "transfer", "post", "huge", "hold", "capture", "release", "reverse")

_amounts = st.one_of(st.integers(1, 90), st.integers(1, 90), st.integers(1, 400))
_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
_metadata = st.none() | st.dictionaries(_texts, _texts, max_size=2)
_limits: st.SearchStrategy[int | str | None] = st.none() | st.sampled_from(["none", 0, -50, 200])
_flaws = st.sampled_from([""] * 12 + ["amount", "asset", "stranger", "mixed"])


def _often(draw: st.DrawFn, *, once_in: int) -> bool:
    return draw(st.integers(1, once_in)) == once_in


@st.composite
def balanced_entries(draw: st.DrawFn, max_pairs: int = 3) -> list[Entry]:
    """Entries that balance in every asset, but for a flaw now and then."""
    entries: list[Entry] = []
    for _ in range(draw(st.integers(1, max_pairs))):
        pool = draw(st.sampled_from([EUR, EUR, EUR, JPY]))
        amount_minor = draw(_amounts)
        entries.append(debit(draw(st.sampled_from(pool)), amount_minor))
        entries.append(credit(draw(st.sampled_from(pool)), amount_minor))
    flaw, first = draw(_flaws), entries[0]
    if flaw == "amount":
        entries[0] = Entry(first.account, first.direction, first.amount_minor + 1)
    elif flaw == "asset":
        named = draw(st.sampled_from(["EUR/2", "JPY/0"]))
        entries[0] = Entry(first.account, first.direction, first.amount_minor, named)
    elif flaw == "stranger":
        stranger = draw(st.sampled_from(LATER))
        entries[0] = Entry(stranger, first.direction, first.amount_minor)
    elif flaw == "mixed":
        entries[0] = Entry(draw(st.sampled_from(EUR + JPY)), first.direction, first.amount_minor)
    return draw(st.permutations(entries))


@st.composite
def _part(draw: st.DrawFn, deed: Deed | None) -> dict[str, object]:
    """Which part of a hold or transaction: all, an amount, or one debit and one credit of it."""
    left: Mapping[tuple[str, str], int] = {} if deed is None else deed.left
    at_most = max([*left.values(), 1])
    how = draw(st.sampled_from(["all", "amount", "entries"]))
    if how == "all":
        return {}
    more = min(at_most + 40, LARGEST_MINOR)
    amount_minor = draw(st.integers(1, at_most) | st.integers(at_most, more))
    if how == "amount":
        return {"amount_minor": amount_minor}
    entries = []
    for side in ("debit", "credit"):
        addresses = [address for address, direction in left if direction == side] or ["cash"]
        if _often(draw, once_in=20):
            addresses = ["revenue"]
        address = draw(st.sampled_from(addresses))
        entries.append(Entry(address, Direction(side), amount_minor))
    return {"entries": entries}


def _one_of(draw: st.DrawFn, likely: Sequence[int], others: Sequence[int], past: int) -> int:
    """Pick a position: likely ones mostly, else any of the kind, else what is none or not yet."""
    picked: int = draw(st.sampled_from([*[*likely] * 4, *others, 1, past + 1, past + 2, past + 3]))
    return picked


@st.composite
def single_commands(
    draw: st.DrawFn, reference: Reference, key: str | None, kind: str
) -> SingleCommand:
    """A command of a kind, with regard to what is there."""
    if kind in ("capture", "release", "reverse"):
        return _later_command(draw, reference, key, kind)
    if kind in ("open", "update"):
        return _account_command(draw, key, kind)
    metadata = draw(_metadata)
    reference_text = draw(st.none() | _texts.filter(bool))
    if kind == "post":
        return commands.post_transaction(
            draw(balanced_entries()),
            reference=reference_text,
            metadata=metadata,
            idempotency_key=key,
        )
    if kind == "hold":
        return _hold_command(draw, reference, key)
    pair = draw(balanced_entries(1))
    amount_minor = pair[0].amount_minor
    names = [entry.account for entry in pair]
    if kind == "huge":
        amount_minor = draw(st.sampled_from([LARGEST_MINOR, LARGEST_MINOR - 1, 2**126, 1]))
        names = draw(st.permutations(VAULTS))
    return commands.transfer(
        debit_account=names[0],
        credit_account=names[1],
        amount_minor=amount_minor,
        reference=reference_text,
        metadata=metadata,
        idempotency_key=key,
    )


def _hold_command(draw: st.DrawFn, reference: Reference, key: str | None) -> SingleCommand:
    entries = draw(balanced_entries(2))
    held = sum(entry.amount_minor for entry in entries if entry.direction is Direction.DEBIT)
    # Whole half minutes, so that an expiry is met exactly or missed by far.
    now_us = reference.clock_us - reference.clock_us % HALF_MINUTE_US
    halves = draw(st.sampled_from([None, None, 1, 2, 2, 3, 4, 20, 120, 0, -3]))
    return commands.hold(
        entries,
        expires_at=None if halves is None else from_us(now_us + halves * HALF_MINUTE_US),
        capture_limit_minor=draw(st.sampled_from([None, None, held, held + 25, max(1, held - 1)])),
        idempotency_key=key,
    )


def _later_command(
    draw: st.DrawFn, reference: Reference, key: str | None, kind: str
) -> SingleCommand:
    deeds = reference.state.deeds
    if kind == "reverse":
        posted = [position for position, deed in deeds.items() if deed.status is None]
        live = [position for position in posted if any(deeds[position].left.values())]
    else:
        posted = [position for position, deed in deeds.items() if deed.status is not None]
        live = [position for position in posted if deeds[position].status == "open"]
    position = _one_of(draw, live, [*posted, *list(deeds)[-1:]], reference.position)
    part = draw(_part(deeds.get(position)))
    if kind == "capture":
        final = draw(st.booleans())
        return commands.capture(position, **part, final=final, idempotency_key=key)  # type: ignore[arg-type]  # a part is what it is
    if kind == "release":
        return commands.release(position, **part, idempotency_key=key)  # type: ignore[arg-type]  # a part is what it is
    override = _often(draw, once_in=4)
    return commands.reverse(position, **part, override_limits=override, idempotency_key=key)  # type: ignore[arg-type]  # a part is what it is


def _account_command(draw: st.DrawFn, key: str | None, kind: str) -> SingleCommand:
    if kind == "open":
        return commands.open_account(
            draw(st.sampled_from([*LATER[:2] * 3, *EUR])),
            asset=draw(st.sampled_from(["EUR/2", "EUR/2", "JPY/0", "EUR/3", "SEK/2"])),
            account_class=draw(st.sampled_from(["asset", "liability", "income"])),
            min_balance_minor=draw(st.sampled_from([None, 0, -20])),
            max_balance_minor=draw(st.sampled_from([None, 0, 150])),
            metadata=draw(_metadata),
            idempotency_key=key,
        )
    return commands.update_account(
        draw(st.sampled_from(EVERYBODY)),
        # Mostly back to open, or soon nothing would move.
        status=draw(st.sampled_from([None, "open", "open", "open", "frozen", "closed"])),
        min_balance_minor=draw(_limits),
        max_balance_minor=draw(_limits),
        metadata=draw(_metadata),
        idempotency_key=key,
    )


def opening() -> list[SingleCommand]:
    """Open the accounts and fund the wallets."""
    numbers = itertools.count(1)

    def key() -> str:
        return f"opening-{next(numbers)}"

    made: list[SingleCommand] = [
        commands.open_account(
            address,
            asset="JPY/0" if address in JPY else "EUR/2",
            account_class={"revenue": "income", "void": "liability"}.get(address, "asset")
            if not address.startswith("wallets")
            else "liability",
            min_balance_minor=0 if address.startswith("wallets") else None,
            max_balance_minor=500 if address == "wallets:carol" else None,
            idempotency_key=key(),
        )
        for address in (*EUR, *JPY, *VAULTS)
    ]
    made += [
        commands.transfer(
            debit_account="till" if wallet == "wallets:dora" else "cash",
            credit_account=wallet,
            amount_minor=300,
            idempotency_key=key(),
        )
        for wallet in (*EUR[1:4], "wallets:dora")
    ]
    return made
