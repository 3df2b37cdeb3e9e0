"""Settings from the environment (`TANDEM_…`), read and checked once at start."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tandem.platform.errors import SettingsError
from tandem.platform.profiles import Profile, is_encrypted, is_loopback, with_defaults

PREFIX: Final = "TANDEM_"
# Read elsewhere: by the map extract, the tests and the command line's clients.
_READ_ELSEWHERE: Final = frozenset({"TANDEM_URL", "TANDEM_KEY", "TANDEM_EXTRACT"})
_PREFIXES_READ_ELSEWHERE: Final = ("TANDEM_TEST_", "TANDEM_SANDBOX_")

type _Amount = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LogLevel(StrEnum):
    """The least important line that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """Auto is for people on a terminal, and JSON elsewhere."""

    AUTO = "auto"
    CONSOLE = "console"
    JSON = "json"


class WebhookReach(StrEnum):
    """Where webhooks may be sent: public addresses, this machine too, or anywhere."""

    PUBLIC = "public"
    LOOPBACK = "loopback"
    ANY = "any"


class Settings(BaseSettings):
    """Everything that can be set. Secrets do not show in logs or errors."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True
    )

    profile: Profile = Profile.DEV
    """The environment, which says what is usual where nothing is set: `profiles.DEFAULTS`."""
    data_directory: Path = Path(".tandem")
    """Where the embedded PostgreSQL and caches live; made where missing."""
    database_url: SecretStr | None = None
    """Another PostgreSQL >= 16 to use in place of the embedded one."""
    host: str = "127.0.0.1"
    """Loopback address to listen on."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8650
    """Port to listen on; 0 takes any free one."""
    signing_key: Path | None = None
    """File of the key that signs checkpoints, in place of the data directory's own."""
    ledger: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")] = "main"
    """The ledger that is opened at start."""
    bikemap_base_url: AnyHttpUrl | None = None
    bikemap_client_id: str | None = None
    bikemap_client_secret: SecretStr | None = None
    bikemap_jobs: bool = False
    """Let Bikemap compute routing jobs that it can."""
    bikemap_callback_url: AnyHttpUrl | None = None
    """Where Bikemap reaches `/v1/routing-webhooks/bikemap` of this server; it is polled without."""
    bikemap_webhook_secrets: SecretStr | None = None
    """The secrets that its messages may be signed with, separated by commas."""
    bikemap_v1_keys: SecretStr | None = None
    """Keys of Bikemap's deprecated version 1, the newest first, separated by commas."""
    graphhopper_url: AnyHttpUrl | None = None
    graphhopper_keys: SecretStr | None = None
    """Keys of GraphHopper's API, the newest first, separated by commas."""
    secrets_file: Path | None = None
    """File of the providers' secrets, watched; see docs/how-to/change-secrets.md."""
    bikemap_credits_per_day: _Amount | None = None
    """Our plan with Bikemap, both versions together: credits in any 24 hours."""
    bikemap_credits_at_once: _Amount | None = None
    """How many of a day's credits may come at once; a 25th by default."""
    bikemap_requests_per_second: _Amount | None = None
    graphhopper_credits_per_day: _Amount | None = None
    graphhopper_credits_at_once: _Amount | None = None
    graphhopper_requests_per_second: _Amount | None = None
    plan_processes: Annotated[int, Field(ge=1, le=1_000)] = 2
    """How many servers and workers share the plans."""
    flags_file: Path | None = None
    """File of feature flags, watched; see docs/how-to/change-safely.md."""
    valhalla_url: AnyHttpUrl | None = None
    """Our own Valhalla, the fallback when Bikemap fails."""
    prefetch_credits_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """For how many credits hot routes are fetched anew before they go stale; 0 is never."""
    shadow_credits_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """For how many credits providers are compared behind callers' backs; 0 is never."""
    webhook_key: SecretStr | None = None
    """32 bytes in base64 that seal webhooks' secrets; a file of the data directory by default."""
    webhook_reach: WebhookReach = WebhookReach.LOOPBACK
    """Where webhooks may go."""
    require_provider_tls: bool = False
    """Refuse http URLs of providers that get secrets, but on this machine."""
    refuse_unsafe: bool = False
    """Refuse settings that are fine only where nothing is at stake."""
    log_level: LogLevel = LogLevel.INFO
    log_format: LogFormat = LogFormat.AUTO

    @model_validator(mode="before")
    @classmethod
    def _usual(cls, given: dict[str, object]) -> dict[str, object]:
        return with_defaults(given)

    @field_validator("host")
    @classmethod
    def _loopback_only(cls, value: str) -> str:
        if is_loopback(value):
            return value
        raise ValueError("the server listens on loopback only; put a TLS proxy in front of it")

    @model_validator(mode="after")
    def _providers_have_urls(self) -> Self:
        """Whether each also has its secrets is seen where their file is read."""
        bikemap = ("client_id", "client_secret", "v1_keys", "callback_url", "webhook_secrets")
        wanting = [f"bikemap_{name}" for name in bikemap] + ["bikemap_jobs"]
        for name in wanting:
            if getattr(self, name) and not self.bikemap_base_url:
                raise ValueError(f"{name} needs bikemap_base_url")
        if self.graphhopper_keys and not self.graphhopper_url:
            raise ValueError("graphhopper_keys needs graphhopper_url")
        return self

    @model_validator(mode="after")
    def _plans_make_sense(self) -> Self:
        plans = {
            "bikemap": (self.bikemap_credits_per_day, self.bikemap_credits_at_once),
            "graphhopper": (self.graphhopper_credits_per_day, self.graphhopper_credits_at_once),
        }
        for name, (per_day, at_once) in plans.items():
            if at_once is not None and (per_day is None or at_once >= per_day):
                raise ValueError(
                    f"{name}_credits_at_once is a part of {name}_credits_per_day, and not all of it"
                )
        return self

    @model_validator(mode="after")
    def _secrets_go_encrypted(self) -> Self:
        for name in ("bikemap_base_url", "graphhopper_url"):
            url: AnyHttpUrl | None = getattr(self, name)
            if self.require_provider_tls and url is not None and _is_plain(url):
                raise ValueError(f"{name} is http: secrets would be sent for all to read")
        return self

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        unsafe = [fault for fault, is_so in self._unsafe().items() if is_so]
        if self.refuse_unsafe and unsafe:
            raise ValueError("\n".join(f"not in {self.profile}: {fault}" for fault in unsafe))
        return self

    def _unsafe(self) -> dict[str, bool]:
        """Say of what is not for an environment where something is at stake whether it is so."""
        url = self.database_url
        return {
            "require_provider_tls is off": not self.require_provider_tls,
            "webhook_reach is more than public": self.webhook_reach is not WebhookReach.PUBLIC,
            "database_url without webhook_key: each machine would seal with a key of its own": (
                url is not None and self.webhook_key is None
            ),
            "database_url without signing_key: no checkpoint would be signed": (
                url is not None and self.signing_key is None
            ),
            "database_url without sslmode=require, verify-ca or verify-full": (
                url is not None and not is_encrypted(url.get_secret_value())
            ),
        }

    @property
    def postgres_directory(self) -> Path:
        """Data directory of the embedded PostgreSQL."""
        return self.data_directory / "postgres"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` that are not None win over the environment.

    Raises SettingsError, one line a fault, where one is unknown or cannot be.
    """
    faults = unknown_variables(os.environ)
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        faults += [_describe(item) for item in error.errors(include_input=False)]
    else:
        if not faults:
            return settings
    raise SettingsError("\n".join(faults))


def unknown_variables(environment: Mapping[str, str]) -> list[str]:
    """Find variables that look like settings and are none: most often a slip of the pen."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _READ_ELSEWHERE
    return [
        f"{name} is not a setting of Tandem"
        for name in sorted(environment)
        if name.startswith(PREFIX)
        and name not in known
        and not name.startswith(_PREFIXES_READ_ELSEWHERE)
    ]


def _is_plain(url: AnyHttpUrl) -> bool:
    return url.scheme == "http" and not is_loopback(url.host or "")


def _describe(item: Mapping[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    name = "_".join(str(step) for step in item["loc"])
    return f"{PREFIX}{name.upper()}: {message}" if name else message
