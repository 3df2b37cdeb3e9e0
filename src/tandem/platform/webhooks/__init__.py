"""Webhooks, out and in: signatures, sealed secrets, allowed addresses, and sending one message."""

from tandem.platform.webhooks.signing import WebhookInvalid, verify_webhook

__all__ = ["WebhookInvalid", "verify_webhook"]
