"""Bodies that no honest provider sends: bombs, mountains, and nothing at all."""

import json
import zlib
from collections.abc import Iterator
from typing import Final

from tandem.sandbox import limits
from tandem.sandbox.faults import FaultKind, FaultRule

JSON_TYPE: Final = (b"content-type", b"application/json")
_CHUNK: Final = b"0" * 65_536
_OPENING, _CLOSING = b'{"routes":"', b'"}'
_GZIP: Final = 16 + zlib.MAX_WBITS


def hostile(rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    """Return the headers and the parts of a body, with a status of 200."""
    return _BODIES[rule.kind](rule)


def _empty(_rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    return [JSON_TYPE, (b"content-length", b"0")], iter(())


def _error(_rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    """What says no in its body and yes in its status."""
    problem = {"status": 429, "code": "quota.exhausted", "title": "The credits are used up"}
    message = "API limit heavily violated: your daily credits are used up"  # version 1's words
    return [JSON_TYPE], iter([json.dumps({**problem, "message": message}).encode()])


def _nested(_rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    return [JSON_TYPE], iter([b"[" * limits.NESTING])


def _mountain(rule: FaultRule) -> Iterator[bytes]:
    yield _OPENING
    for _ in range(rule.body_bytes // len(_CHUNK)):
        yield _CHUNK
    yield _CLOSING


def _huge(rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    return [JSON_TYPE], _mountain(rule)


def _bomb(rule: FaultRule) -> tuple[list[tuple[bytes, bytes]], Iterator[bytes]]:
    """The same mountain, of which a thousandth is on the wire."""

    def packed() -> Iterator[bytes]:
        packer = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        for part in _mountain(rule):
            if some := packer.compress(part):
                yield some
        yield packer.flush()

    return [JSON_TYPE, (b"content-encoding", b"gzip")], packed()


_BODIES: Final = {
    FaultKind.EMPTY: _empty,
    FaultKind.ERROR_BODY: _error,
    FaultKind.NESTED: _nested,
    FaultKind.HUGE: _huge,
    FaultKind.BOMB: _bomb,
}
HOSTILE: Final = frozenset(_BODIES)
