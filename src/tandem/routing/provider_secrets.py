"""The providers' secrets, each from the environment or from the file that is watched."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from tandem.platform.config import Settings
from tandem.platform.errors import SettingsError
from tandem.platform.secrets import LiveSecrets, SecretsFile, live

CLIENT_SECRET: Final = "bikemap.client_secret"  # noqa: S105 - a name
WEBHOOK_SECRET: Final = "bikemap.webhook_secret"  # noqa: S105 - a name
V1_KEY: Final = "bikemap_v1.key"
GRAPHHOPPER_KEY: Final = "graphhopper.key"
NAMES: Final = (CLIENT_SECRET, WEBHOOK_SECRET, V1_KEY, GRAPHHOPPER_KEY)


class ProviderSecrets:
    """What each provider is asked with; None for one that has none.

    Raises SettingsError where a secret is given in both places: one of them would be forgotten.
    """

    def __init__(self, settings: Settings, file: SecretsFile | None) -> None:
        client_secret = settings.bikemap_client_secret
        one = () if client_secret is None else (client_secret.get_secret_value(),)
        self._file = file
        self.client: Final = self._one_of(CLIENT_SECRET, one)
        self.webhooks: Final = self._one_of(
            WEBHOOK_SECRET, _listed(settings.bikemap_webhook_secrets)
        )
        self.v1: Final = self._one_of(V1_KEY, _listed(settings.bikemap_v1_keys))
        self.graphhopper: Final = self._one_of(GRAPHHOPPER_KEY, _listed(settings.graphhopper_keys))
        _check(settings, self)

    def _one_of(self, name: str, given: tuple[str, ...]) -> LiveSecrets | None:
        if self._file is None or not self._file.has(name):
            return live(*given) if given else None
        if given:
            raise SettingsError(f"{name} is in the file of secrets and in the environment")
        return self._file.live(name)


@asynccontextmanager
async def open_secrets(
    settings: Settings, registry: CollectorRegistry
) -> AsyncIterator[ProviderSecrets]:
    """Read the secrets, and watch their file while the context lasts. Raises SettingsError."""
    if settings.secrets_file is None:
        yield ProviderSecrets(settings, None)
        return
    file = SecretsFile(settings.secrets_file, NAMES, registry)
    secrets = ProviderSecrets(settings, file)
    watch = asyncio.create_task(file.file.watch(), name="secrets")
    try:
        yield secrets
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


def _check(settings: Settings, secrets: ProviderSecrets) -> None:
    """Refuse a provider that is set up by half."""
    if settings.bikemap_client_id and not secrets.client:
        raise SettingsError(f"TANDEM_BIKEMAP_CLIENT_ID wants a secret, or {CLIENT_SECRET}")
    if secrets.client and not settings.bikemap_client_id:
        raise SettingsError(f"{CLIENT_SECRET} wants TANDEM_BIKEMAP_CLIENT_ID")
    if bool(settings.bikemap_base_url) != bool(secrets.client or secrets.v1):
        raise SettingsError(f"TANDEM_BIKEMAP_BASE_URL goes with {CLIENT_SECRET} or {V1_KEY}")
    if bool(settings.graphhopper_url) != bool(secrets.graphhopper):
        raise SettingsError(f"TANDEM_GRAPHHOPPER_URL and {GRAPHHOPPER_KEY} go together")
    if settings.bikemap_callback_url and not secrets.webhooks:
        raise SettingsError(f"TANDEM_BIKEMAP_CALLBACK_URL wants {WEBHOOK_SECRET}")


def _listed(given: SecretStr | None) -> tuple[str, ...]:
    """Read secrets that are separated by commas."""
    return () if given is None else tuple(given.get_secret_value().split(","))
