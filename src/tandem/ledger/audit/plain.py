"""The usual record, read at once: one debit and one credit of the same amount, and nothing odd.

What matches is canonical: no number has a leading zero, no text holds what would be escaped, and
the fields stand in their order. Everything else is read the general way.
"""

import re
from typing import Final

from tandem.ledger.core.canonical import FORMAT_VERSION
from tandem.ledger.core.limits import MAX_AMOUNT_DIGITS

_NUMBER: Final = r"[1-9][0-9]{0,18}+"
_AMOUNT: Final = rf"[1-9][0-9]{{0,{MAX_AMOUNT_DIGITS - 1}}}+"
_TEXT: Final = r'[^"\\\x00-\x1f]*+'
_TOTALS: Final = r"[0-9]++,[0-9]++,[0-9]++,[0-9]++"

# Position, time, key, reference; debited account, amount, its totals; credited account, its totals;
# metadata. Totals and metadata are taken as they stand: they are compared as texts.
PLAIN: Final = re.compile(
    rf'\{{"v":{FORMAT_VERSION},"position":({_NUMBER}),"recorded_at_us":({_NUMBER}),'
    rf'"kind":"transaction"(?:,"key":"({_TEXT})")?(?:,"reference":"({_TEXT})")?,'
    rf'"entries":\[\["({_TEXT})",1,({_AMOUNT}),({_TOTALS})\],'
    rf'\["({_TEXT})",2,\6,({_TOTALS})\]\](?:,"metadata":(\{{[^{{}}]*+\}}))?\}}'
)
