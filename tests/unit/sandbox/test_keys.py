"""Clients, secrets and tokens."""

from itertools import count

import pytest

from tandem.sandbox import limits
from tandem.sandbox.keys import (
    Account,
    Client,
    ConfigurationError,
    Keyring,
    Rejection,
    parse_clients,
)
from tandem.sandbox.metering import PLANS

_OLD, _NEW = "an-old-secret-of-the-client", "a-new-secret-of-the-client"


class _Clock:
    now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def _keyring(clock: _Clock) -> Keyring:
    numbers = count(1)
    client = Client("courier", (_OLD, _NEW), PLANS["standard"])
    return Keyring([client], clock, lambda: f"token-{next(numbers)}")


def _account(keyring: Keyring) -> Account:
    account = keyring.log_in("courier", _OLD)
    assert account is not None
    return account


def test_both_live_secrets_open_one_account() -> None:
    """While a secret is rotated the old and the new one work, and lead to the same account."""
    keyring = _keyring(_Clock())
    assert keyring.log_in("courier", _OLD) is keyring.log_in("courier", _NEW) is not None


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [("courier", "wrong"), ("courier", ""), ("nobody", _OLD), ("", ""), ("courier", "\udcff")],
)
def test_wrong_credentials_open_nothing(client_id: str, secret: str) -> None:
    """Any other pair, text outside of Unicode included, is refused without an error."""
    assert _keyring(_Clock()).log_in(client_id, secret) is None


def test_token_expires() -> None:
    """A token is good until its lifetime is over, and is then told from one never issued."""
    clock = _Clock()
    keyring = _keyring(clock)
    account = _account(keyring)
    token = keyring.issue_token(account, _OLD)
    clock.now_s += limits.TOKEN_LIFETIME_S - 1
    assert keyring.check_token(token) is account
    clock.now_s += 1
    assert keyring.check_token(token) is Rejection.EXPIRED
    assert keyring.check_token("token-99") is Rejection.INVALID


def test_tokens_are_bounded() -> None:
    """Beyond the bound the oldest token is forgotten; the newest works."""
    keyring = _keyring(_Clock())
    account = _account(keyring)
    tokens = [keyring.issue_token(account, _OLD) for _ in range(limits.TOKENS_PER_CLIENT_MAX + 1)]
    assert len(account.tokens) == limits.TOKENS_PER_CLIENT_MAX
    assert keyring.check_token(tokens[0]) is Rejection.INVALID
    assert keyring.check_token(tokens[-1]) is account


def test_a_revoked_secret_takes_its_tokens_with_it() -> None:
    """What the secret that stays has got works on; the revoked one opens nothing."""
    keyring = _keyring(_Clock())
    account = _account(keyring)
    old, new = keyring.issue_token(account, _OLD), keyring.issue_token(account, _NEW)
    assert keyring.replace_secrets("courier", (_NEW,))
    assert keyring.check_token(old) is Rejection.INVALID
    assert keyring.check_token(new) is account
    assert keyring.log_in("courier", _OLD) is None
    assert keyring.check_key(_NEW) is account
    assert not keyring.replace_secrets("nobody", (_NEW,))
    with pytest.raises(ConfigurationError):
        keyring.replace_secrets("courier", ())
    assert keyring.log_in("courier", _NEW) is account


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '["courier"]',
        '[{"id": "a"}]',
        '[{"id": "a", "secrets": ["short"]}]',
        '[{"id": "a b", "secrets": ["sixteen-letters-or-more"]}]',
        '[{"id": "a", "secrets": []}]',
        '[{"id": "a", "secrets": ["sixteen-letters-or-more"], "plan": "golden"}]',
        '[{"id": 7, "secrets": ["sixteen-letters-or-more"]}]',
        '[{"id": "a", "secrets": [7]}]',
    ],
)
def test_nonsense_clients_are_an_error(text: str) -> None:
    """Whatever is not a list of clients is refused, and no secret is repeated."""
    with pytest.raises(ConfigurationError) as caught:
        Keyring(parse_clients(text), _Clock(), str)
    assert "sixteen" not in str(caught.value)


def test_clients_do_not_show_their_secrets() -> None:
    """A client in a log or a traceback is without its secrets."""
    (client,) = parse_clients('[{"id": "a", "secrets": ["sixteen-letters-or-more"]}]')
    assert "sixteen" not in repr(client)
