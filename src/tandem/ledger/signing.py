"""The key that signs checkpoints (Ed25519): made once, kept in a file, and its signatures checked.

What is checked needs only the verifier key, which is public.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tandem.ledger.core.checkpoint import (
    Checkpoint,
    Note,
    NoteError,
    Signature,
    VerifierKey,
    format_checkpoint,
    format_note,
    origin_of,
    parse_checkpoint,
    parse_note,
)
from tandem.platform.errors import PlatformError

KEY_FILE: Final = "signing.key"
_OTHERS: Final = 0o077


class SigningKeyError(PlatformError):
    """The signing key cannot be read, or others may read it too."""


class Signer:
    """Signs the checkpoints of every ledger with one key, under each ledger's own name."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public_key = key.public_key().public_bytes_raw()

    def verifier_key(self, ledger: str) -> VerifierKey:
        """The public key, by the name of a ledger's log."""
        return VerifierKey(origin_of(ledger), self._public_key)

    def sign(self, ledger: str, size: int, root: bytes) -> str:
        """Write and sign a checkpoint of a ledger."""
        key = self.verifier_key(ledger)
        text = format_checkpoint(Checkpoint(key.name, size, root))
        signature = Signature(key.name, key.key_id, self._key.sign(text.encode()))
        return format_note(Note(text, (signature,)))


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """Read a checkpoint that this key signed. Raises NoteError.

    Signatures by keys that are not known here are passed over, as witnesses add them; one that
    names this key and does not hold spoils the note.
    """
    text, signatures = parse_note(note)
    ours = [one.signature for one in signatures if one[:2] == (key.name, key.key_id)]
    if not ours:
        raise NoteError(f"the checkpoint is not signed by {key.name}+{key.key_id.hex()}")
    public_key = Ed25519PublicKey.from_public_bytes(key.public_key)
    for signature in ours:
        try:
            public_key.verify(signature, text.encode())
        except InvalidSignature:
            raise NoteError("the checkpoint's signature does not hold") from None
    checkpoint = parse_checkpoint(text)
    if checkpoint.origin != key.name:
        raise NoteError(f"the checkpoint is of {checkpoint.origin}, the key of {key.name}")
    return checkpoint


def read_signer(path: Path) -> Signer:
    """Read the key of a file (PEM, PKCS #8). Raises SigningKeyError."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise SigningKeyError(f"{path} can be read by others; make its mode 0600")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(f"cannot read the signing key {path}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"the signing key {path} is not an Ed25519 key")
    return Signer(key)


def ensure_signer(path: Path) -> Signer:
    """Read the key of a file; make it where there is none. Raises SigningKeyError."""
    if not path.exists():
        _make_key(path)
    return read_signer(path)


def _make_key(path: Path) -> None:
    """Write a new key, whole before it has its name; whoever comes second keeps the first one's."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(fresh, path)
        finally:
            fresh.unlink()
    except OSError as error:
        raise SigningKeyError(f"cannot make the signing key {path}: {error}") from error
