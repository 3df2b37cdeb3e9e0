"""Signatures of the Standard Webhooks specification (standardwebhooks.com, version 1.0.0).

Three headers: `webhook-id`, the same at every attempt; `webhook-timestamp`, seconds since 1970;
and `webhook-signature`, one `v1,base64(hmac-sha256(id.timestamp.body))` for each live secret.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from tandem.platform.limits import (
    WEBHOOK_SECRET_BYTES_MAX,
    WEBHOOK_SECRET_BYTES_MIN,
    WEBHOOK_TOLERANCE_S,
)

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"
SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - the mark of a secret, not one
_VERSION: Final = "v1,"


class SecretMalformed(ValueError):  # noqa: N818 - it names what happened
    """The text is no secret to sign with."""


class WebhookInvalid(Exception):  # noqa: N818 - it names what happened
    """A message was not signed with any of the secrets, or not lately; do not act on it."""


def write_secret(key: bytes) -> str:
    """Write a secret's bytes as text."""
    return SECRET_PREFIX + base64.b64encode(key).decode()


def read_secret(secret: object) -> bytes:
    """Read a secret: `whsec_` and 24 to 64 bytes in base64. Raises SecretMalformed."""
    if isinstance(secret, str) and secret.startswith(SECRET_PREFIX):
        try:
            key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except (ValueError, binascii.Error):
            key = b""
        if WEBHOOK_SECRET_BYTES_MIN <= len(key) <= WEBHOOK_SECRET_BYTES_MAX:
            return key
    raise SecretMalformed(
        f"a secret is {SECRET_PREFIX} and {WEBHOOK_SECRET_BYTES_MIN} to "
        f"{WEBHOOK_SECRET_BYTES_MAX} bytes in base64"
    )


def sign(keys: Sequence[bytes], message_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """Make the three headers of a message."""
    return {
        ID_HEADER: message_id,
        TIMESTAMP_HEADER: str(sent_at_s),
        SIGNATURE_HEADER: " ".join(
            _signature(key, message_id, str(sent_at_s), body) for key in keys
        ),
    }


def verify_webhook(
    secrets: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime,
    *,
    tolerance_s: int = WEBHOOK_TOLERANCE_S,
) -> str:
    """Check a message that was received; give its id, which is the same whenever it is repeated.

    `body` is the bytes as they came. `secrets` are all that are live. Raises WebhookInvalid, and
    SecretMalformed where a secret is none. Comparing takes the same time whatever is wrong.
    """
    held = {name.lower(): value for name, value in headers.items()}
    message_id, sent_at = held.get(ID_HEADER, ""), held.get(TIMESTAMP_HEADER, "")
    if not message_id or not (sent_at.isascii() and sent_at.isdigit()):
        raise WebhookInvalid("the message has no id or no timestamp")
    if abs(now.timestamp() - int(sent_at[:12])) > tolerance_s:
        raise WebhookInvalid(f"the message was not sent within {tolerance_s} s of now")
    given = [one.encode() for one in held.get(SIGNATURE_HEADER, "").split(" ")]
    matches = False
    for secret in secrets:
        wanted = _signature(read_secret(secret), message_id, sent_at, body).encode()
        for signature in given:
            matches |= hmac.compare_digest(wanted, signature)
    if not matches:
        raise WebhookInvalid("no signature of the message is by one of the secrets")
    return message_id


def _signature(key: bytes, message_id: str, sent_at: str, body: bytes) -> str:
    content = f"{message_id}.{sent_at}.".encode() + body
    return _VERSION + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
