"""Signatures, sealed secrets and addresses of webhooks."""

import base64
import ipaddress
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.platform.config import WebhookReach
from tandem.platform.webhooks import WebhookInvalid, verify_webhook
from tandem.platform.webhooks.addresses import (
    AddressForbidden,
    NameUnknown,
    UrlMalformed,
    allowed,
    check_url,
    resolve,
)
from tandem.platform.webhooks.sealing import SealBroken, SecretBox, key_of_directory, read_key
from tandem.platform.webhooks.signing import SecretMalformed, read_secret, sign, write_secret

# The vector that the specification's libraries are tested with.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - published with the vector
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SENT_AT_S = 1_614_265_330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
NOW = datetime.fromtimestamp(SENT_AT_S, UTC)
HEADERS = {
    "webhook-id": ID,
    "webhook-timestamp": str(SENT_AT_S),
    "webhook-signature": SIGNATURE,
}
OTHER = write_secret(bytes(32))


def test_the_specifications_vector() -> None:
    """We sign as everybody does, and take what everybody signs."""
    assert sign([read_secret(SECRET)], ID, SENT_AT_S, BODY) == HEADERS
    assert verify_webhook([SECRET], HEADERS, BODY, NOW) == ID


def test_two_secrets_while_one_is_rotated_out() -> None:
    """Signed with both, whoever knows either is content; several versions stand side by side."""
    both = sign([read_secret(OTHER), read_secret(SECRET)], ID, SENT_AT_S, BODY)
    assert both["webhook-signature"].endswith(f" {SIGNATURE}")
    for known in ([SECRET], [OTHER], [OTHER, SECRET]):
        assert verify_webhook(known, both, BODY, NOW) == ID
    more = HEADERS | {"webhook-signature": f"v1a,abc= v1,nonsense {SIGNATURE}"}
    assert verify_webhook([OTHER, SECRET], more, BODY, NOW) == ID


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": str(SENT_AT_S + 1)},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "9" * 400},
        {"webhook-signature": ""},
        {"webhook-signature": SIGNATURE.replace("v1,", "v2,")},
        {"webhook-signature": SIGNATURE[:-4] + "AAA="},
        {"webhook-signature": "v1,é"},
    ],
)
def test_what_was_tampered_with_is_invalid(change: dict[str, str]) -> None:
    """Any change of a header."""
    with pytest.raises(WebhookInvalid):
        verify_webhook([SECRET], HEADERS | change, BODY, NOW)


@given(body=st.binary().filter(lambda body: body != BODY))
def test_another_body_is_invalid(body: bytes) -> None:
    """No other bytes carry the signature."""
    with pytest.raises(WebhookInvalid):
        verify_webhook([SECRET], HEADERS, body, NOW)


@pytest.mark.parametrize(
    ("late_s", "valid"), [(300, True), (301, False), (-300, True), (-301, False)]
)
def test_an_old_message_is_invalid(late_s: int, valid: bool) -> None:
    """Five minutes either way, so that what was overheard cannot be played again for long."""
    now = NOW + timedelta(seconds=late_s)
    if valid:
        assert verify_webhook([SECRET], HEADERS, BODY, now) == ID
        return
    with pytest.raises(WebhookInvalid):
        verify_webhook([SECRET], HEADERS, BODY, now)


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "whsec_!", SECRET[6:], write_secret(bytes(23)), write_secret(bytes(65)), 7],
)
def test_odd_secrets_are_refused(secret: object) -> None:
    """A prefix and 24 to 64 bytes in base64."""
    with pytest.raises(SecretMalformed):
        read_secret(secret)


def test_a_sealed_secret_belongs_to_its_owner_and_key() -> None:
    """It opens with the same key for the same owner; twice sealed it looks different."""
    box = SecretBox(bytes(32))
    sealed = box.seal(b"secret", "1/a")
    assert b"secret" not in sealed
    assert sealed != box.seal(b"secret", "1/a")
    assert box.open(sealed, "1/a") == b"secret"
    for other, owner in ((box, "1/b"), (SecretBox(b"\1" * 32), "1/a")):
        with pytest.raises(SealBroken):
            other.open(sealed, owner)
    with pytest.raises(SealBroken):
        box.open(b"short", "1/a")


def test_the_key_of_a_directory_stays(tmp_path: Path) -> None:
    """Made once, for its owner's eyes only."""
    key = key_of_directory(tmp_path / "data")
    assert key_of_directory(tmp_path / "data") == key
    file = tmp_path / "data" / "webhook.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [*file.parent.iterdir()] == [file]
    for odd in ("", "?", base64.b64encode(bytes(31)).decode()):
        with pytest.raises(ValueError, match="key"):
            read_key(odd)


PRIVATE = [
    "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",  "0.1.2.3",
    "224.0.0.1", "255.255.255.255", "fc00::1", "fe80::1", "ff02::1", "::", "::ffff:10.0.0.1",
    "64:ff9b::a00:1", "2002:a00:1::", "::ffff:169.254.169.254", "192.0.2.1",
]  # fmt: skip
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"]
PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"]


def test_only_public_addresses_are_reached() -> None:
    """By default nothing of our own network, in whatever form; loopback where it is allowed."""
    reaches = {
        reach: {
            text
            for text in PRIVATE + LOOPBACK + PUBLIC
            if allowed(ipaddress.ip_address(text), reach)
        }
        for reach in WebhookReach
    }
    assert reaches[WebhookReach.PUBLIC] == {*PUBLIC}
    assert reaches[WebhookReach.LOOPBACK] == {*PUBLIC, *LOOPBACK}
    assert reaches[WebhookReach.ANY] == {*PRIVATE, *LOOPBACK, *PUBLIC}


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433"])
async def test_a_name_is_checked_by_where_it_leads(host: str) -> None:
    """Every way to write this machine; a name that leads nowhere says so."""
    with pytest.raises(AddressForbidden):
        await resolve(f"http://{host}:80/", WebhookReach.PUBLIC)
    _host, address = await resolve(f"http://{host}:80/", WebhookReach.LOOPBACK)
    assert ipaddress.ip_address(address).is_loopback


@pytest.mark.anyio
async def test_a_name_that_leads_nowhere_says_so() -> None:
    """The top-level domain `invalid` is promised to have no names (RFC 2606)."""
    with pytest.raises(NameUnknown):
        await resolve("http://nobody.invalid/", WebhookReach.PUBLIC)


@pytest.mark.parametrize(
    "url",
    ["", "ftp://a.b/", "//a.b/", "http:///x", "http://u:p@a.b/", "http://a.b/#f", "http://a b/",
     "http://a.b:99999/", "http://ä.b/", "http://a.b/" + "x" * 2_048, "http://a.b/\n", 5, None],
)  # fmt: skip
def test_odd_urls_are_refused(url: object) -> None:
    """Http or https and a host, no user, no fragment, bounded."""
    with pytest.raises(UrlMalformed):
        check_url(url)
