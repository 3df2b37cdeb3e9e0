"""Secrets at rest: sealed with AES-256-GCM under a key that is not in the database."""

import base64
import binascii
import os
import secrets
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12


class SealBroken(Exception):  # noqa: N818 - it names what happened
    """A sealed secret was not sealed with this key, or not for this subscription."""


class SecretBox:
    """Seals secrets, each bound to what it belongs to. ValueError: no key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key to seal with has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)

    def seal(self, secret: bytes, owner: str) -> bytes:
        """Encrypt a secret for its owner."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, owner.encode())

    def open(self, sealed: bytes, owner: str) -> bytes:
        """Decrypt a secret. Raises SealBroken."""
        try:
            return self._cipher.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode()
            )
        except (InvalidTag, ValueError) as error:
            detail = f"the secret of {owner} was sealed with another key"
            raise SealBroken(detail) from error


def read_key(text: str) -> bytes:
    """Read a key from base64. Raises ValueError."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error as error:
        raise ValueError("a key is written in base64") from error
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key to seal with has {KEY_BYTES} bytes")
    return key


def key_of_directory(directory: Path) -> bytes:
    """Read a data directory's key, made where missing, readable by its owner only."""
    path = directory / "webhook.key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        fresh = directory / f".webhook.key.{secrets.token_hex(8)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(fresh)  # whole, or not at all; the first of two processes wins
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return read_key(path.read_text("ascii"))
