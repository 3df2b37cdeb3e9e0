"""What is usual for an environment: data, so that no code asks which one it is in."""

import ipaddress
import os
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

_ENCRYPTED: Final = frozenset({"require", "verify-ca", "verify-full"})


class Profile(StrEnum):
    """The environment: a machine of one's own, one where releases are tried, the real one."""

    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


DEFAULTS: Final[Mapping[Profile, Mapping[str, object]]] = {
    Profile.DEV: {
        "log_format": "auto",
        "webhook_reach": "loopback",
        "require_provider_tls": False,
        "refuse_unsafe": False,
    },
    Profile.STAGING: {
        "log_format": "json",
        "webhook_reach": "public",
        "require_provider_tls": True,
        "refuse_unsafe": False,
    },
    Profile.PROD: {
        "log_format": "json",
        "webhook_reach": "public",
        "require_provider_tls": True,
        "refuse_unsafe": True,
    },
}
"""By profile, what a setting is that was not set."""


def with_defaults(given: Mapping[str, object]) -> dict[str, object]:
    """Add what is usual for the profile of some settings; what was set stays."""
    try:
        profile = Profile(str(given.get("profile", Profile.DEV)))
    except ValueError:
        return dict(given)  # the setting itself says what is wrong
    return {**DEFAULTS[profile], **given}


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_encrypted(conninfo: str) -> bool:
    """Tell whether a connection to PostgreSQL stays on this machine or must be encrypted."""
    try:
        said = conninfo_to_dict(conninfo)
    except ProgrammingError:
        return True  # whoever connects says what is wrong
    hosts = str(said.get("host") or said.get("hostaddr") or os.environ.get("PGHOST", ""))
    mode = said.get("sslmode") or os.environ.get("PGSSLMODE")
    return mode in _ENCRYPTED or all(_is_here(host) for host in hosts.split(","))


def _is_here(host: str) -> bool:
    return host == "" or host.startswith(("/", "@")) or is_loopback(host)
