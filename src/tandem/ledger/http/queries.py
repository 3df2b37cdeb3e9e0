"""Metadata in a query, as OpenAPI's `deepObject` style has it: `metadata[key]=value`.

The whole name between the first and the last bracket is the key, whatever stands in it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends
from starlette.requests import Request

from tandem.ledger.core.limits import (
    MAX_FILTER_PAIRS,
    MAX_METADATA_KEY_CHARS,
    MAX_METADATA_VALUE_CHARS,
)
from tandem.ledger.core.refusals import Refusal, RefusalCode, Refused

_START: Final = "metadata["
_END: Final = "]"

METADATA_PARAMETER: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "description": "Pairs that the metadata contains, each as `metadata[key]=value`.",
            "schema": {
                "type": "object",
                "maxProperties": MAX_FILTER_PAIRS,
                "propertyNames": {"maxLength": MAX_METADATA_KEY_CHARS},
                "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE_CHARS},
            },
        }
    ]
}


def _is_pair(name: str) -> bool:
    return name.startswith(_START) and name.endswith(_END)


def without_metadata(given: Any) -> Any:
    """Take the pairs out of query parameters, for the model that knows the others."""
    if not isinstance(given, Mapping):
        return given
    return {name: value for name, value in given.items() if not _is_pair(name)}


def _read(request: Request) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if _is_pair(name):
            key = name[len(_START) : -len(_END)]
            if key in pairs:
                detail = "a key of metadata stands once"
                raise Refused(Refusal(RefusalCode.MALFORMED, detail, "metadata"))
            pairs[key] = value
    return pairs or None


Metadata = Annotated[dict[str, str] | None, Depends(_read)]
