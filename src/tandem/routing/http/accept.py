"""Which form of an answer a caller wants, by the `Accept` header (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Container
from typing import Final

_JSON: Final = "application/json"
_WILD: Final = frozenset({"*/*", "application/*"})
_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def preferred(accept: str, files: Container[str]) -> str | None:
    """Return which of the files' media types is wanted most; None for JSON, which all can have.

    A name goes before a wildcard of the same weight, and what is named first before the others.
    """
    best, best_rank = _JSON, (0.0, False)
    for one in accept.lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        rank = (_weight(parameters), name not in _WILD)
        is_known = name == _JSON or name in _WILD or name in files
        if is_known and rank[0] > 0 and rank > best_rank:
            best, best_rank = name, rank
    return best if best in files else None


def _weight(parameters: list[str]) -> float:
    """Return the weight, 1 where none is said, 0 where it is none."""
    said = [parameter for parameter in parameters if parameter.startswith("q=")]
    if not said:
        return 1.0
    weight = _WEIGHT.fullmatch(said[0])
    return 0.0 if weight is None else float(weight[1])
