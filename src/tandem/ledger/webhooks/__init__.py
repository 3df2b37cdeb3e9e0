"""Webhooks: records sent to subscribers over HTTP, signed, in order, at least once.

Receivers check what they get with `verify_webhook`.
"""

from tandem.platform.webhooks.signing import WebhookInvalid, verify_webhook

__all__ = ["WebhookInvalid", "verify_webhook"]
