"""Names of accounts and commodities in beancount and hledger; each mapping can be taken back. Pure.

A beancount segment begins with a capital or a digit and goes on in letters, digits and `-`. So a
small first letter is made a capital, `_` is written `-u`, `-` is written `--`, and a segment that
begins with anything else is written whole behind `X-x`, which no other segment begins with.
hledger takes an address as it is.
"""

import re
from typing import Final

from tandem.ledger.core.accounts import AccountClass

ROOTS: Final = {
    AccountClass.ASSET: "Assets",
    AccountClass.LIABILITY: "Liabilities",
    AccountClass.EQUITY: "Equity",
    AccountClass.INCOME: "Income",
    AccountClass.EXPENSE: "Expenses",
}
_CLASSES: Final = {root: class_ for class_, root in ROOTS.items()}
_MARK: Final = "X-x"
_ESCAPES: Final = str.maketrans({"_": "-u", "-": "--"})
_ESCAPED: Final = re.compile("-([-u])")
# A commodity of beancount ends in a letter or digit and has two characters; these are words of its.
_CODE: Final = re.compile(r"(?!(?:TRUE|FALSE|NULL)$)[A-Z][A-Z0-9_]*[A-Z0-9]", re.ASCII)
_SUFFIX: Final = ".X"
_LETTERS: Final = re.compile(r"[A-Z]+", re.ASCII)


def beancount_account(address: str, account_class: AccountClass) -> str:
    """Write an address as an account of beancount: `customers:42` as `Liabilities:Customers:42`."""
    return ":".join([ROOTS[account_class], *map(_segment, address.split(":"))])


def _segment(segment: str) -> str:
    escaped = segment.translate(_ESCAPES)
    first = segment[0]
    if first.islower():
        return first.upper() + escaped[1:]
    return escaped if first.isdigit() else _MARK + escaped


def beancount_address(name: str) -> tuple[str, AccountClass]:
    """Take `beancount_account` back."""
    root, *segments = name.split(":")
    return ":".join(map(_address_segment, segments)), _CLASSES[root]


def _address_segment(segment: str) -> str:
    escaped = segment.removeprefix(_MARK)
    plain = _ESCAPED.sub(lambda found: "_" if found[1] == "u" else "-", escaped)
    return plain if escaped != segment else plain[0].lower() + plain[1:]


def beancount_commodity(code: str) -> str:
    """Write an asset's code as a currency of beancount: `EUR` as it is, `A` and `A_` with `.X`."""
    return code if _CODE.fullmatch(code) else code + _SUFFIX


def beancount_code(commodity: str) -> str:
    """Take `beancount_commodity` back; no code of ours has a point."""
    return commodity.removesuffix(_SUFFIX)


def hledger_account(address: str, account_class: AccountClass) -> str:
    """Write an address as an account of hledger, below the root of its class."""
    return f"{ROOTS[account_class]}:{address}"


def hledger_commodity(code: str) -> str:
    """Write an asset's code as a commodity of hledger, quoted where it is not only letters."""
    return code if _LETTERS.fullmatch(code) else f'"{code}"'
