"""Which addresses a webhook may be sent to: none of our own network, unless that is allowed.

A name is resolved once, and the request goes to the address that was checked, so that no name can
mean one thing when it is checked and another when it is used.
"""

import asyncio
import ipaddress
import socket
from typing import Final
from urllib.parse import SplitResult, urlsplit

from tandem.platform.config import WebhookReach as Reach
from tandem.platform.limits import WEBHOOK_URL_CHARS_MAX

type Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS: Final = {"http": 80, "https": 443}
# Translators of IPv6 to IPv4 (RFC 6052): the last 32 bits are an address of the other kind.
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))


class UrlMalformed(ValueError):  # noqa: N818 - it names what happened
    """The text is no URL that a webhook can be sent to."""


class AddressForbidden(Exception):  # noqa: N818 - it names what happened
    """The name leads to an address that webhooks may not be sent to."""


class NameUnknown(Exception):  # noqa: N818 - it names what happened
    """The name leads nowhere."""


def check_url(url: object) -> str:
    """Check a webhook's URL; raises UrlMalformed. Where it leads is checked when it is used."""
    if isinstance(url, str) and len(url) <= WEBHOOK_URL_CHARS_MAX and url.isascii():
        parts = _split(url)
        if parts is not None and url.isprintable() and " " not in url:
            return url
    raise UrlMalformed(
        "a webhook's URL is http or https, without user, password and fragment, in at most "
        f"{WEBHOOK_URL_CHARS_MAX} ASCII characters"
    )


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        return None
    whole = parts.scheme in _PORTS and parts.hostname and port_fits
    return parts if whole and "@" not in parts.netloc and not parts.fragment else None


def allowed(address: Address, reach: Reach) -> bool:
    """Tell whether a webhook may be sent to an address."""
    real = _real(address)
    if reach is Reach.ANY:
        return True
    if real.is_loopback:
        return reach is Reach.LOOPBACK
    return real.is_global and not real.is_multicast


def _real(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    teredo = address.teredo
    inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
    if inner is None and any(address in network for network in _NAT64):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address if inner is None else inner


async def resolve(url: str, reach: Reach) -> tuple[str, str]:
    """Return a URL's host and an address for it that is allowed.

    Raises AddressForbidden where one of its addresses is not, and NameUnknown.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _PORTS[parts.scheme]
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameUnknown(f"{host} leads nowhere") from error
    addresses = [str(sockaddr[0]).partition("%")[0] for *_, sockaddr in found]
    # One private address among public ones is reason enough.
    for address in addresses:
        if not allowed(ipaddress.ip_address(address), reach):
            raise AddressForbidden(f"{host} is not an address that webhooks may be sent to")
    return host, addresses[0]
