"""What is kept of an answer or a refusal, and its bytes in the shared tier."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from tandem.routing.cache.answers import Codec
from tandem.routing.domain.answers import (
    DomainAnswer,
    Elevations,
    Isochrone,
    Matrix,
    Routes,
    Snapped,
)
from tandem.routing.domain.errors import REFUSALS, Refusal
from tandem.routing.limits import CACHE_INFLATED_BYTES_MAX

_ANSWERS: Final[Mapping[str, TypeAdapter[Any]]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Routes, Matrix, Isochrone, Snapped, Elevations)
}


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given, and by whom."""

    answer: DomainAnswer
    provider: str
    attribution: tuple[str, ...]
    is_primary: bool


@dataclass(frozen=True, slots=True)
class KeptRefusal:
    """That there is no such answer, so that nobody need be asked again for a while."""

    code: str
    message: str
    field: str | None
    point_index: int | None

    @classmethod
    def of(cls, refusal: Refusal) -> "KeptRefusal":
        """Keep a refusal."""
        return cls(refusal.code, str(refusal), refusal.field, refusal.point_index)

    def error(self) -> Refusal:
        """Return it to be raised again."""
        return REFUSALS[self.code](self.message, field=self.field, point_index=self.point_index)


type Kept = KeptAnswer | KeptRefusal

_REFUSAL: Final = TypeAdapter(KeptRefusal)


def _dump(kept: Kept) -> bytes:
    if isinstance(kept, KeptRefusal):
        head: dict[str, object] = {"kind": "refusal"}
        body = _REFUSAL.dump_json(kept)
    else:
        kind = type(kept.answer).__name__
        head = {
            "kind": kind,
            "provider": kept.provider,
            "attribution": kept.attribution,
            "is_primary": kept.is_primary,
        }
        body = _ANSWERS[kind].dump_json(kept.answer)
    return zlib.compress(json.dumps(head).encode() + b"\n" + body, level=1)


def _load(stored: bytes) -> Kept:
    """Read what was written; raises ValueError where another version wrote something else."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(stored, CACHE_INFLATED_BYTES_MAX)
        head, _, body = text.partition(b"\n")
        label = json.loads(head)
        if label["kind"] == "refusal":
            refusal: KeptRefusal = _REFUSAL.validate_json(body)
            refusal.error()  # a newer version may know more of them
            return refusal
        return KeptAnswer(
            _ANSWERS[label["kind"]].validate_json(body),
            str(label["provider"]),
            tuple(str(line) for line in label["attribution"]),
            bool(label["is_primary"]),
        )
    except (zlib.error, KeyError, TypeError) as error:
        raise ValueError("this is nothing that was kept") from error


CODEC: Final[Codec[Kept]] = Codec(_dump, _load)
