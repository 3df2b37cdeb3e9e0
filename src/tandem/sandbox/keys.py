"""Clients, their two live secrets, and the bearer tokens issued for them."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tandem.platform.errors import SettingsError
from tandem.platform.webhooks.signing import SecretMalformed, read_secret
from tandem.sandbox import limits
from tandem.sandbox.metering import PLANS, CreditWindow, Gcra, Plan

COMPUTE_SCOPE = "compute"
JOBS_SCOPE = "jobs"
SCOPES = frozenset({COMPUTE_SCOPE, JOBS_SCOPE})
_CLIENT_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class ConfigurationError(SettingsError):
    """The sandbox was given clients or tokens that it cannot work with."""


@dataclass(frozen=True, slots=True)
class Client:
    """An API client: its id, one or two live secrets, its plan.

    `webhook_secrets`: what messages to it are signed with, none to two of them.
    """

    id: str
    secrets: tuple[str, ...] = field(repr=False)
    plan: Plan
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not _CLIENT_ID.fullmatch(self.id):
            raise ConfigurationError("a client's id has 1 to 64 letters, digits, '_', '.', '-'")
        if not 1 <= len(self.secrets) <= limits.SECRETS_PER_CLIENT_MAX:
            most = limits.SECRETS_PER_CLIENT_MAX
            raise ConfigurationError(f"client {self.id} must have 1 to {most} secrets")
        if any(len(secret) < limits.SECRET_CHARS_MIN for secret in self.secrets):
            least = limits.SECRET_CHARS_MIN
            raise ConfigurationError(f"client {self.id} has a secret of less than {least} letters")
        if len(self.webhook_secrets) > limits.SECRETS_PER_CLIENT_MAX:
            raise ConfigurationError(f"client {self.id} has too many webhook secrets")
        try:
            for secret in self.webhook_secrets:
                read_secret(secret)
        except SecretMalformed as error:
            raise ConfigurationError(f"client {self.id}, webhooks: {error}") from None


def parse_clients(text: str) -> tuple[Client, ...]:
    """Read clients from JSON: `[{"id", "secrets", "plan", "webhook_secrets"}]`.

    Raises:
        ConfigurationError: It is anything else. The message repeats no secret.
    """
    try:
        return tuple(
            Client(
                item["id"],
                tuple(item["secrets"]),
                PLANS[item.get("plan", "standard")],
                tuple(item.get("webhook_secrets", ())),
            )
            for item in json.loads(text)
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        shape = '[{"id": ..., "secrets": [...], "plan": one of ' + ", ".join(PLANS) + "}]"
        raise ConfigurationError(f"clients must be given as JSON {shape}") from error


class Rejection(StrEnum):
    """Why a token is not accepted."""

    INVALID = "invalid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Issued:
    """When a token ends, the hash of the secret that got it, and what it is good for."""

    expires_s: float
    secret_digest: str
    scopes: frozenset[str]


@dataclass(slots=True)
class Account:
    """A client with what it has used and the tokens it was given, by their hashes."""

    client: Client
    rate: Gcra
    credits: CreditWindow
    tokens: dict[str, Issued] = field(default_factory=dict)


class Keyring:
    """All accounts; `clock` tells monotonic seconds, `new_token` makes an unguessable text."""

    def __init__(
        self, clients: Iterable[Client], clock: Callable[[], float], new_token: Callable[[], str]
    ) -> None:
        self._accounts = {client.id: _open(client) for client in clients}
        if not 1 <= len(self._accounts) <= limits.CLIENTS_MAX:
            raise ConfigurationError(f"there must be 1 to {limits.CLIENTS_MAX} clients")
        self._clock = clock
        self._new_token = new_token

    def log_in(self, client_id: str, secret: str) -> Account | None:
        """Return the account whose id and secret these are."""
        account = self._accounts.get(client_id)
        if account is None:
            return None
        matches = [_same(secret, known) for known in account.client.secrets]
        return account if any(matches) else None

    def check_key(self, key: str) -> Account | None:
        """Return the account that has this secret: version 1 takes it as a key by itself."""
        for account in self._accounts.values():
            if self.log_in(account.client.id, key) is not None:
                return account
        return None

    def issue_token(self, account: Account, secret: str, scopes: frozenset[str] = SCOPES) -> str:
        """Make a bearer token for who has a secret; beyond a bound the oldest is forgotten."""
        token = self._new_token()
        expires_s = self._clock() + limits.TOKEN_LIFETIME_S
        account.tokens[_digest(token)] = Issued(expires_s, _digest(secret), scopes)
        while len(account.tokens) > limits.TOKENS_PER_CLIENT_MAX:
            del account.tokens[next(iter(account.tokens))]
        return token

    def check_token(self, token: str) -> Account | Rejection:
        """Return the account that a bearer token was issued for, or why it is not accepted."""
        digest = _digest(token)
        for account in self._accounts.values():
            issued = account.tokens.get(digest)
            if issued is not None:
                return account if self._clock() < issued.expires_s else Rejection.EXPIRED
        return Rejection.INVALID

    def scopes_of(self, account: Account, token: str) -> frozenset[str]:
        """Return what a token that is accepted is good for."""
        return account.tokens[_digest(token)].scopes

    def replace_secrets(self, client_id: str, secrets: tuple[str, ...]) -> bool:
        """Give a client other secrets; whatever the revoked ones got ends with them.

        Returns whether there is such a client; raises ConfigurationError for what are no secrets.
        """
        account = self._accounts.get(client_id)
        if account is None:
            return False
        account.client = replace(account.client, secrets=secrets)
        living = {_digest(secret) for secret in secrets}
        account.tokens = {
            digest: issued
            for digest, issued in account.tokens.items()
            if issued.secret_digest in living
        }
        return True


def _open(client: Client) -> Account:
    plan = client.plan
    rate = Gcra(plan.burst, plan.burst_window_s)
    return Account(client, rate, CreditWindow(plan.credits, plan.credit_window_s))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _same(given: str, known: str) -> bool:
    # Hashes have one length, so the comparison tells nothing of the secret's.
    return hmac.compare_digest(_digest(given), _digest(known))
