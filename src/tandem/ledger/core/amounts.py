"""Amounts: integers in an asset's minor unit, 1 .. 2^127-1; and signed limits on balances."""

import re
from typing import Final

from tandem.ledger.core.limits import MAX_AMOUNT_DIGITS, MAX_AMOUNT_MINOR
from tandem.ledger.core.refusals import Refusal, RefusalCode

_DIGITS: Final = re.compile(r"[1-9][0-9]*", re.ASCII)
_SIGNED_DIGITS: Final = re.compile(r"0|-?[1-9][0-9]*", re.ASCII)
# What reads as a number but is no amount: zero, negative, fraction, exponent, not-a-number.
_OTHER_NUMBER: Final = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|nan|inf|infinity)",
    re.ASCII | re.IGNORECASE,
)


def _invalid(detail: str) -> Refusal:
    return Refusal(RefusalCode.AMOUNT_INVALID, detail, field="amount_minor")


def _overflow() -> Refusal:
    return Refusal(
        RefusalCode.AMOUNT_OVERFLOW, "an amount is at most 2^127-1", field="amount_minor"
    )


def parse_amount(value: object) -> int | Refusal:
    """Read an amount in minor units from an integer or a string of decimal digits.

    Refused `amount_invalid`: zero, negative, fraction, exponent, NaN, infinity, bool, float.
    Refused `amount_overflow`: more than 2^127-1. Refused `malformed`: leading zeros, a plus,
    blanks, digits outside ASCII, and whatever is not a number.
    """
    if type(value) is int:
        return _bounded(value)
    if isinstance(value, str):
        return _parse_text(value)
    if isinstance(value, bool):
        return _invalid("an amount is an integer, not a boolean")
    if isinstance(value, int):
        return _bounded(int(value))
    if value is None or isinstance(value, bytes | list | tuple | dict | set):
        return Refusal(RefusalCode.MALFORMED, "an amount is an integer", field="amount_minor")
    return _invalid("an amount is an integer in the minor unit, not a fraction or float")


def _bounded(value: int) -> int | Refusal:
    if value < 1:
        return _invalid("an amount is at least 1")
    return value if value <= MAX_AMOUNT_MINOR else _overflow()


def _parse_text(text: str) -> int | Refusal:
    if _DIGITS.fullmatch(text):
        # The length is checked first: converting a million digits would itself be an attack.
        return _overflow() if len(text) > MAX_AMOUNT_DIGITS else _bounded(int(text))
    if len(text) <= MAX_AMOUNT_DIGITS * 2 and _OTHER_NUMBER.fullmatch(text):
        return _invalid("an amount is a positive integer in the minor unit")
    return Refusal(
        RefusalCode.MALFORMED,
        "an amount is written in digits 0-9 without leading zeros, a plus or blanks",
        field="amount_minor",
    )


def parse_limit(value: object, field: str) -> int | Refusal | None:
    """Read a limit on a balance: a signed integer up to 2^127-1 either way; None is none."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= MAX_AMOUNT_DIGITS + 1:
        value = int(value) if _SIGNED_DIGITS.fullmatch(value) else value
    if not isinstance(value, int) or isinstance(value, bool):
        return Refusal(RefusalCode.MALFORMED, f"{field} is an integer in the minor unit", field)
    if abs(value) > MAX_AMOUNT_MINOR:
        return Refusal(RefusalCode.AMOUNT_OVERFLOW, f"{field} is at most 2^127-1", field)
    return value
