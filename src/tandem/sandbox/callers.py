"""Whose requests are: for the counters, and without a say in who may pass."""

from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from tandem.sandbox.keys import Account, Keyring
from tandem.sandbox.v1.gate import key_of
from tandem.sandbox.v2.token import basic_credentials

NOBODY: Final = "nobody"


def client_of(scope: Scope, keyring: Keyring) -> str:
    """Return the id of the client whose key, token or password a request has, or `nobody`."""
    request = Request(scope)
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    account: object
    match scheme.lower():
        case "bearer":
            account = keyring.check_token(token.strip())
        case "basic":
            account = keyring.log_in(*basic_credentials(header))
        case _:
            account = keyring.check_key(key_of(request))
    return account.client.id if isinstance(account, Account) else NOBODY
