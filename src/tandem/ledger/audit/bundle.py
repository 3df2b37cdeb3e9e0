"""A log as one file that can be audited without us: a signed checkpoint, then every record.

JSON Lines in UTF-8. The first line is `{"tandem_log":1,"checkpoint":"…"}`, the checkpoint a signed
note (C2SP tlog-checkpoint); the line of a record is its canonical text, exactly as it is hashed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO, Final

from tandem.ledger.api_log import LogApi
from tandem.ledger.audit.findings import Findings
from tandem.ledger.audit.keys import Twins
from tandem.ledger.audit.log import LogWalk
from tandem.ledger.core.canonical import decode
from tandem.ledger.core.checkpoint import Checkpoint, parse_checkpoint, parse_note
from tandem.ledger.core.limits import MAX_BUNDLE_LINE_BYTES, MAX_PAGE_SIZE
from tandem.ledger.core.proofs import ProofError
from tandem.ledger.offline import verify_checkpoint

BUNDLE_VERSION: Final = 1
_TURN_RECORDS: Final = 2_000

type Progress = Callable[[int, int], None]


async def write_bundle(
    ledger: LogApi, sink: BinaryIO, progress: Progress | None = None
) -> Checkpoint:
    """Write a ledger's log as it is now; give its checkpoint. Raises what the ledger raises."""
    note = await ledger.checkpoint()
    checkpoint = parse_checkpoint(parse_note(note).text)
    header = {"tandem_log": BUNDLE_VERSION, "checkpoint": note}
    sink.write(json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    written = 0
    while written < checkpoint.size:
        limit = min(MAX_PAGE_SIZE, checkpoint.size - written)
        records = await ledger.canonical_records(written, limit=limit)
        assert records, "the log is not as long as its checkpoint says"
        sink.write("".join(f"{record}\n" for record in records).encode())
        written += len(records)
        if progress is not None:
            progress(written, checkpoint.size)
    return checkpoint


def audit_bundle(
    file: BinaryIO, key: str, earlier: str | None = None, progress: Progress | None = None
) -> Findings:
    """Recompute every invariant of a bundle, and that it is what the key signed.

    `file` is read twice where it has reversals, so it can be sought in. `key` is the ledger's
    verifier key, `earlier` a checkpoint that was kept: the log has to begin
    with what that signed. Raises ProofError where a checkpoint is not signed by the key, or where
    two of one size differ: then the ledger has shown two histories.
    """
    checkpoint = verify_checkpoint(_header(file), key)
    roots = {checkpoint.size: checkpoint.root}
    if earlier is not None:
        known = verify_checkpoint(earlier, key)
        if roots.setdefault(known.size, known.root) != known.root:
            raise ProofError(f"two checkpoints of {known.size} records are signed, and differ")
    walk = LogWalk(roots)
    records = file.tell()
    for place, line in enumerate(_lines(file), 1):
        if place > checkpoint.size:
            walk.fault(place, "it comes after all that the checkpoint signed")
            break
        walk.take(_text(line, place, walk), place)
        if place % _TURN_RECORDS == 0:
            walk.tree.grow()
            if progress is not None:
                progress(place, checkpoint.size)
    file.seek(records)
    _look_again(file, walk)
    walk.finish()
    return Findings(
        walk.position, walk.entries, len(walk.books), walk.tree.root(), tuple(walk.faults)
    )


def _look_again(file: BinaryIO, walk: LogWalk) -> None:
    """Look once more at what was reversed, and at keys that may be there twice."""
    twins = Twins(walk.faults, walk.keys.twins())
    if not walk.ties.reversed and not twins.hashes:
        return
    for place, line in enumerate(_lines(file), 1):
        text = line.decode(errors="replace")
        if place in walk.ties.reversed:
            walk.check_original(text, place)
        if twins.hashes:
            with suppress(ValueError):  # what is no record was told the first time
                twins.take(decode(text))


def _header(file: BinaryIO) -> str:
    """Read the checkpoint's note from the first line."""
    try:
        fields = json.loads(file.readline(MAX_BUNDLE_LINE_BYTES))
    except (ValueError, RecursionError):
        raise ProofError("this is no bundle of a log") from None
    if not isinstance(fields, dict) or "tandem_log" not in fields:
        raise ProofError("this is no bundle of a log")
    if fields["tandem_log"] != BUNDLE_VERSION or not isinstance(fields.get("checkpoint"), str):
        raise ProofError(f"this bundle is not of version {BUNDLE_VERSION}")
    return str(fields["checkpoint"])


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(MAX_BUNDLE_LINE_BYTES):
        yield line.removesuffix(b"\n")


def _text(line: bytes, place: int, walk: LogWalk) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        walk.fault(place, "its bytes are not UTF-8")
        return line.decode(errors="replace")
