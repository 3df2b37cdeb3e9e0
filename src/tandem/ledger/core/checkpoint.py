"""Checkpoints: the size and root of a log as a signed note (C2SP tlog-checkpoint, signed-note).

Text only. Signing and checking signatures is `ledger.signing`; here a note is taken apart and put
together, and what is not exactly of the form is refused.
"""

import base64
import binascii
import re
from hashlib import sha256
from typing import Final, NamedTuple

from tandem.ledger.core.limits import MAX_NOTE_CHARS, MAX_NOTE_SIGNATURES
from tandem.ledger.core.merkle import HASH_BYTES

ORIGIN_PREFIX: Final = "tandem.ledger/"
ED25519: Final = b"\1"  # the algorithm's byte in keys and key ids
KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_KEY_ID_BYTES: Final = 4
_SIGNATURE_PREFIX: Final = "\N{EM DASH} "
_CHECKPOINT_LINES: Final = 3
# Two's complement of 64 bits: no log is larger, and every reader can hold it.
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
_KEY_ID: Final = re.compile(r"[0-9a-f]{8}", re.ASCII)


class NoteError(Exception):
    """A note, a checkpoint or a key is not of its form, or a signature does not hold."""


class Signature(NamedTuple):
    """A signature line: who says to have signed, by which key, and the signature's bytes."""

    name: str
    key_id: bytes
    signature: bytes


class Note(NamedTuple):
    """A text, its last newline included, and who signed it. Nothing is checked yet."""

    text: str
    signatures: tuple[Signature, ...]


class Checkpoint(NamedTuple):
    """The root of a log's tree at a size. The origin says which log; its key has that name."""

    origin: str
    size: int
    root: bytes


class VerifierKey(NamedTuple):
    """A name and an Ed25519 public key: all that checking a log takes."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that signatures name the key by."""
        named = self.name.encode() + b"\n" + ED25519 + self.public_key
        return sha256(named).digest()[:_KEY_ID_BYTES]

    def __str__(self) -> str:
        """The key as text: `name+id+base64`."""
        public = base64.b64encode(ED25519 + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{public}"


def origin_of(ledger: str) -> str:
    """The origin of a ledger's log, which is also the name of its key."""
    return ORIGIN_PREFIX + ledger


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a verifier key. Raises NoteError where it is none, or its id is not its own."""
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    public = _decoded(encoded, "the key")
    if not _is_name(name) or not _KEY_ID.fullmatch(key_id):
        raise NoteError("a verifier key is written name+id+base64")
    if public[:1] != ED25519 or len(public) != 1 + KEY_BYTES:
        raise NoteError("the key is not an Ed25519 key")
    key = VerifierKey(name, public[1:])
    if key.key_id.hex() != key_id:
        raise NoteError("the key's id is not that of its name and bytes")
    return key


def format_note(note: Note) -> str:
    """Write a signed note."""
    lines = [
        f"{_SIGNATURE_PREFIX}{name} {base64.b64encode(key_id + signature).decode()}\n"
        for name, key_id, signature in note.signatures
    ]
    return f"{note.text}\n{''.join(lines)}"


def parse_note(data: str) -> Note:
    """Take a signed note apart. Raises NoteError."""
    if len(data) > MAX_NOTE_CHARS:
        raise NoteError(f"a note has at most {MAX_NOTE_CHARS} characters")
    if any(character < " " and character != "\n" for character in data):
        raise NoteError("a note has no control characters")
    text, blank, signed = data.rpartition("\n\n")
    if not blank or not text or not signed.endswith("\n"):
        raise NoteError("a note is a text, an empty line, and lines of signatures")
    lines = signed[:-1].split("\n")
    if len(lines) > MAX_NOTE_SIGNATURES:
        raise NoteError(f"a note has at most {MAX_NOTE_SIGNATURES} signatures")
    return Note(text + "\n", tuple(map(_signature, lines)))


def _signature(line: str) -> Signature:
    if not line.startswith(_SIGNATURE_PREFIX):
        raise NoteError("a line of a signature begins with a dash")
    name, space, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    signed = _decoded(encoded, "a signature")
    if not space or not _is_name(name) or len(signed) <= _KEY_ID_BYTES:
        raise NoteError("a signature is a name, and base64 of a key's id and the signature")
    return Signature(name, signed[:_KEY_ID_BYTES], signed[_KEY_ID_BYTES:])


def format_checkpoint(checkpoint: Checkpoint) -> str:
    """Write the text of a checkpoint: what is signed."""
    root = base64.b64encode(checkpoint.root).decode()
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint. Lines that extend it are signed too, but say nothing to us.

    Raises NoteError.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) < _CHECKPOINT_LINES or not all(lines):
        raise NoteError("a checkpoint has an origin, a size and a root, a line each")
    origin, size, root = lines[:_CHECKPOINT_LINES]
    if not _SIZE.fullmatch(size):
        raise NoteError("the checkpoint's size is no number")
    digest = _decoded(root, "the root")
    if len(digest) != HASH_BYTES:
        raise NoteError("the checkpoint's root is no SHA-256")
    return Checkpoint(origin, int(size), digest)


def _is_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(map(str.isspace, name))


def _decoded(encoded: str, what: str) -> bytes:
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"{what} is not base64") from None
    if base64.b64encode(decoded).decode() != encoded:
        raise NoteError(f"{what} is not written as base64 writes it")
    return decoded
