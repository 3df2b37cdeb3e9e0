"""Cursors of pages: opaque, so that what is in them can change."""

import base64

from tandem.ledger.core.limits import MAX_CURSOR_CHARS


def sealed(text: str) -> str:
    """Write an ASCII text as a cursor."""
    return base64.urlsafe_b64encode(text.encode("ascii")).decode().rstrip("=")


def opened(cursor: object) -> str | None:
    """Read the text in a cursor, None where there is none; whose it is, the text must tell."""
    if not isinstance(cursor, str) or len(cursor) > MAX_CURSOR_CHARS:
        return None
    padded = cursor + "=" * (-len(cursor) % 4)
    try:
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        return None
