"""What every refusal of the core says, word for word: it stands in the hashed log for ever.

One line each in `refusal_texts.txt`: the case, then the refusal. A new text is a new line there.
"""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.property.ledger_core.test_decide import Book

from tandem.ledger.core import intake
from tandem.ledger.core.amounts import parse_amount, parse_limit
from tandem.ledger.core.commands import SingleCommand
from tandem.ledger.core.decide import decide
from tandem.ledger.core.limits import MAX_ENTRIES_PER_TRANSACTION
from tandem.ledger.core.records import Record
from tandem.ledger.core.refusals import Refusal, Refused

_LINES: Final = (Path(__file__).parent / "refusal_texts.txt").read_text("utf-8").splitlines()
_MOST: Final = 2**127 - 1
_D, _C = "debit", "credit"

type _Raw = tuple[Any, Any, Any, Any]


def _pair(payer: Any, payee: Any, amount: Any, asset: Any = None) -> list[_Raw]:
    return [(payer, _D, amount, asset), (payee, _C, amount, asset)]


# -- shapes --------------------------------------------------------------------------------------

_GOOD: Final = _pair("a", "b", 1)
_AMOUNTS: Final[list[Any]] = [
    0, -1, True, 1.5, None, [], (), {}, set(), b"1", "", "01", "0", "1.5", "-3", "1e3", "NaN",
    "9" * 39, "9" * 40, _MOST + 1, "1." + "0" * 76, "1." + "0" * 77,
]  # fmt: skip
_LIMITS: Final[list[Any]] = [
    True, 1.5, "01", "-0", "9" * 41, "-" + "9" * 39, _MOST + 1, -_MOST - 1,
]  # fmt: skip
_SHAPES: Final[list[tuple[str, Callable[[], object]]]] = [
    *((f"amount {value!r:.12}", partial(parse_amount, value))
      for value in _AMOUNTS),
    *((f"limit {value!r:.12}", partial(parse_limit, value, "max_balance_minor"))
      for value in _LIMITS),
    ("ledger", lambda: intake.ledger_name("A")),
    ("key missing", lambda: intake.idempotency_key(None)),
    ("key empty", lambda: intake.idempotency_key("")),
    ("key odd", lambda: intake.idempotency_key("a b")),
    ("address", lambda: intake.address("a b", "account", 3)),
    ("position 0", lambda: intake.position(0, "hold")),
    ("position 2^63", lambda: intake.position(2**63, "hold")),
    ("position true", lambda: intake.position(True, "hold")),
    ("text long", lambda: intake.text("abc", "reference", 2)),
    ("text none", lambda: intake.text(5, "reference", 2)),
    ("text NUL", lambda: intake.text("\0", "reference", 2)),
    ("text half", lambda: intake.text("\ud800", "reference", 2)),
    ("reference empty", lambda: intake.post("k", _GOOD, "")),
    ("reference long", lambda: intake.post("k", _GOOD, "r" * 129)),
    ("metadata list", lambda: intake.metadata([])),
    ("metadata many", lambda: intake.metadata({str(n): "" for n in range(65)})),
    ("metadata key", lambda: intake.metadata({"k" * 65: ""})),
    ("metadata value", lambda: intake.metadata({"k": "v" * 1_025})),
    ("open asset", lambda: intake.open_account("k", "a", "EUR", "asset")),
    ("open address", lambda: intake.open_account("k", "a b", "EUR/2", "asset")),
    ("open class", lambda: intake.open_account("k", "a", "EUR/2", "money")),
    ("open class 5", lambda: intake.open_account("k", "a", "EUR/2", 5)),
    ("open crossing", lambda: intake.open_account("k", "a", "EUR/2", "asset", 2, 1)),
    ("open low", lambda: intake.open_account("k", "a", "EUR/2", "asset", "x", _MOST + 1)),
    ("open high", lambda: intake.open_account("k", "a", "EUR/2", "asset", _MOST + 1, "x")),
    ("update address", lambda: intake.update_account("k", "a b")),
    ("update status", lambda: intake.update_account("k", "a", "gone")),
    ("update low", lambda: intake.update_account("k", "a", None, "x")),
    ("update high", lambda: intake.update_account("k", "a", None, None, "x")),
    ("transfer asset", lambda: intake.transfer("k", "a", "b", 1, "EUR")),
    ("transfer debit", lambda: intake.transfer("k", "a b", "b", 1)),
    ("transfer credit", lambda: intake.transfer("k", "a", "a b", 1)),
    ("transfer amount", lambda: intake.transfer("k", "a", "b", 0)),
    ("transfer much", lambda: intake.transfer("k", "a", "b", _MOST + 1)),
    ("post one", lambda: intake.post("k", _GOOD[:1])),
    ("post many", lambda: intake.post("k", [_GOOD[0]] * (MAX_ENTRIES_PER_TRANSACTION + 1))),
    ("post asset", lambda: intake.post("k", _pair("a", "b", 1, "EUR"))),
    ("post direction", lambda: intake.post("k", [_GOOD[0], ("b", "up", 1, None)])),
    ("post address", lambda: intake.post("k", _pair("a", "a b", 1))),
    ("post amount", lambda: intake.post("k", [_GOOD[0], ("b", _C, 0, None)])),
    ("hold expiry", lambda: intake.place_hold("k", _GOOD, -1)),
    ("hold limit", lambda: intake.place_hold("k", _GOOD, None, 0)),
    ("capture both", lambda: intake.capture("k", 1, 1, _GOOD)),
    ("capture none", lambda: intake.capture("k", 1, None, [])),
    ("capture amount", lambda: intake.capture("k", 1, 0)),
    ("capture final", lambda: intake.capture("k", 1, None, None, 1)),
    ("capture hold", lambda: intake.capture("k", "1")),
    ("release hold", lambda: intake.release("k", "1")),
    ("reverse transaction", lambda: intake.reverse("k", "1")),
    ("reverse override", lambda: intake.reverse("k", 1, None, None, "yes")),
    ("batch empty", lambda: intake.atomic_batch("k", [])),
    ("batch many", lambda: intake.atomic_batch("k", [intake.release(None, 1)] * 1_001)),
    ("batch keys", lambda: intake.atomic_batch("k", [intake.release("k", 1)])),
    ("batch key", lambda: intake.atomic_batch("", [intake.release(None, 1)])),
]  # fmt: skip


def _shape(read: Callable[[], object]) -> object:
    try:
        return read()
    except Refused as refused:
        return refused.refusal


# -- decisions -----------------------------------------------------------------------------------


class _Stage:
    """Accounts in every state, and parents to take parts of; positions by name."""

    def __init__(self) -> None:
        self.book = Book()
        self.at: dict[str, int] = {}
        for address in ("frozen", "closed", "full", "low"):
            self.made(intake.open_account(None, address, "EUR/2", "liability"), loaded=address)
        self.made(intake.post(None, _pair("cash", "a", 100)), name="paid")
        self.made(intake.post(None, _pair("cash", "frozen", 7)), name="iced")
        self.made(intake.place_hold(None, _pair("a", "b", 40), 10**6), name="hold")
        self.made(intake.place_hold(None, _pair("a", "b", 4), None, 6), name="tip")
        self.made(intake.place_hold(None, _pair("a", "frozen", 5)), name="cold")
        self.made(intake.place_hold(None, [*_pair("a", "b", 1), *_pair("a", "c", 1)]), name="four")
        for name in ("gone", "kept"):
            self.made(intake.place_hold(None, _pair("a", "b", 2)), name=name)
        self.made(intake.release(None, self.at["gone"]))
        self.made(intake.capture(None, self.at["kept"]))
        self.made(intake.post(None, _pair("cash", "b", 3)), name="back")
        self.made(intake.reverse(None, self.at["back"]))
        self.made(intake.post(None, _pair("low", "full", _MOST)))
        self.made(intake.update_account(None, "frozen", "frozen"))
        self.made(intake.update_account(None, "closed", "closed"))
        for address in ("nobody", "new"):
            self.book.state.accounts[address] = None

    def made(self, command: SingleCommand, *, name: str = "", loaded: str = "") -> None:
        """Do what must take effect."""
        if loaded:
            self.book.state.accounts[loaded] = None
        record = self.book.made(command)
        if name:
            self.at[name] = record.position

    def refusal(self, command: SingleCommand, now_us: int = 0) -> Refusal | None:
        """Decide without taking it in."""
        state = self.book.state
        (record,) = _records(decide(state, command, max(now_us, state.recorded_at_us + 1)))
        return record.refusal


def _records(outcome: Any) -> Iterable[Record]:
    assert isinstance(outcome, tuple)
    return outcome


type _Ask = Callable[[dict[str, int]], SingleCommand]

_DECISIONS: Final[list[tuple[str, _Ask]]] = [
    ("exists", lambda _: intake.open_account(None, "a", "EUR/2", "asset")),
    ("scale", lambda _: intake.open_account(None, "new", "EUR/3", "asset")),
    ("no account to update", lambda _: intake.update_account(None, "nobody", "frozen")),
    ("closed for ever", lambda _: intake.update_account(None, "closed", "open")),
    ("not empty", lambda _: intake.update_account(None, "a", "closed")),
    ("limits would cross", lambda _: intake.update_account(None, "b", None, 201)),
    ("no account", lambda _: intake.post(None, _pair("a", "nobody", 1))),
    ("frozen", lambda _: intake.post(None, _pair("a", "frozen", 1))),
    ("closed", lambda _: intake.post(None, _pair("closed", "a", 1))),
    ("asset", lambda _: intake.post(None, _pair("cash", "a", 1, "SEK/2"))),
    ("exchange", lambda _: intake.post(None, _pair("cash", "sek", 1))),
    ("unbalanced", lambda _: intake.post(None, [*_pair("cash", "a", 1), ("a", _D, 5, None)])),
    ("unbalanced twice", lambda _: intake.post(
        None, [("cash", _D, 3, None), ("sek", _C, 2, None), ("a", _C, 1, None)])),
    ("overflow", lambda _: intake.post(None, _pair("cash", "full", 1))),
    ("funds", lambda _: intake.post(None, _pair("a", "b", 99))),
    ("funds below zero", lambda _: intake.post(None, _pair("b", "a", 60))),
    ("limit", lambda _: intake.post(None, _pair("cash", "b", 201))),
    ("hold in the past", lambda _: intake.place_hold(None, _GOOD, 1)),
    ("hold limit", lambda _: intake.place_hold(None, _pair("a", "b", 3), None, 2)),
    ("hold limit of two assets", lambda _: intake.place_hold(
        None, [*_pair("cash", "a", 1), *_pair("sek", "sek:a", 1)], None, 9)),
    ("hold limit of two assets, unbalanced", lambda _: intake.place_hold(
        None, [*_pair("cash", "a", 1), ("sek", _D, 1, None)], None, 9)),
    ("hold limit of two assets, frozen", lambda _: intake.place_hold(
        None, [*_pair("frozen", "a", 1), *_pair("sek", "sek:a", 1)], None, 9)),
    ("no hold", lambda at: intake.capture(None, at["paid"])),
    ("released", lambda at: intake.capture(None, at["gone"])),
    ("captured", lambda at: intake.release(None, at["kept"])),
    ("more than held", lambda at: intake.capture(None, at["hold"], 41)),
    ("more than the tip", lambda at: intake.capture(None, at["tip"], 7)),
    ("capture of one side", lambda at: intake.capture(
        None, at["hold"], None, [("a", _D, 4, None)])),
    ("capture of another", lambda at: intake.capture(None, at["hold"], None, _pair("a", "c", 4))),
    ("capture of an asset", lambda at: intake.capture(
        None, at["hold"], None, _pair("a", "b", 4, "SEK/2"))),
    ("capture into frozen", lambda at: intake.capture(None, at["cold"])),
    ("final into frozen", lambda at: intake.capture(None, at["cold"], 1, None, True)),
    ("capture of four", lambda at: intake.capture(None, at["four"], 1)),
    ("capture of an entry", lambda at: intake.capture(
        None, at["four"], None, [("a", _D, 2, None), ("b", _C, 2, None)])),
    ("release more", lambda at: intake.release(None, at["hold"], 41)),
    ("release one side", lambda at: intake.release(None, at["hold"], None, [("a", _D, 1, None)])),
    ("no transaction", lambda at: intake.reverse(None, at["hold"])),
    ("reversed", lambda at: intake.reverse(None, at["back"])),
    ("reverse more", lambda at: intake.reverse(None, at["paid"], 101)),
    ("reverse of another", lambda at: intake.reverse(None, at["paid"], None, _pair("a", "b", 1))),
    ("reverse of frozen", lambda at: intake.reverse(None, at["iced"], 9)),
    ("reverse without funds", lambda at: intake.reverse(None, at["paid"])),
]  # fmt: skip


def shapes() -> list[str]:
    """What each wrong shape is told."""
    return [f"{name}: {_shape(read)!r}" for name, read in _SHAPES]


def decisions() -> list[str]:
    """What each command that the state says no to is told."""
    stage = _Stage()
    said = [f"{name}: {stage.refusal(ask(stage.at))!r}" for name, ask in _DECISIONS]
    late = intake.capture(None, stage.at["hold"])
    said.append(f"expired: {stage.refusal(late, 10**6)!r}")
    said.append(f"in time: {stage.refusal(late, 10**6 - 1)!r}")
    return said


def test_a_wrong_shape_is_told_what_it_always_was() -> None:
    """The code, the words, the field and the entry."""
    said = shapes()
    assert said == _LINES[: len(said)]
    assert [line for line in said if "Refusal(" not in line] == []


def test_a_refused_command_is_told_what_it_always_was() -> None:
    """And what could have been spent, or what the hold has become."""
    said = decisions()
    assert said == _LINES[-len(said) :]
    assert len(_LINES) == len(said) + len(_SHAPES)
    assert [line for line in said if "Refusal(" not in line] == ["in time: None"]
    # A batch puts its command before the field, so there has to be one.
    assert [line for line in said if " field=None" in line] == []
