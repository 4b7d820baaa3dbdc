"""Destinations: which addresses a webhook may be sent to, checked when it is added and again at every attempt."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from ordersaga.webhooks.settings import WebhookSettings

Address = IPv4Address | IPv6Address
MAX_URL = 2000
NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that IANA gives to the internet in IPv6. `is_global` knows what is taken away from the rest, and takes for global
what it does not know: addresses of sites, and those in which a translator of the own network finds an IPv4 address."""
PORTS = {"https": 443, "http": 80}


class DestinationRefused(ValueError):
    """A webhook may not be sent there; the text says why, and which setting would allow it."""


@dataclass(frozen=True)
class Destination:
    """The parts of a URL that a request needs."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises DestinationRefused."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            host.encode(
                "idna"
            )  # UnicodeError is a ValueError: no look-up takes an empty label, or one of 64 characters
        except ValueError as error:
            raise DestinationRefused(f"it is not a URL: {error}") from None
        if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise DestinationRefused(f"it has more than {MAX_URL} characters, or some that must be escaped")
        if parts.scheme not in PORTS or not host:
            raise DestinationRefused("it must be https://host/path")
        if "@" in parts.netloc or parts.fragment:
            raise DestinationRefused("it must have neither a user nor a fragment (#)")
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.scheme, host, port or PORTS[parts.scheme], target)

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


class Guard:
    """Refuses destinations that are not on the internet, unless the settings allow them.

    Else a subscription could make the webhook process call what only machines of the same network reach: databases,
    metadata services of a cloud, consoles (server-side request forgery).
    """

    def __init__(self, settings: WebhookSettings) -> None:
        """Raises ValueError: WEBHOOK_ALLOW names no host or network."""
        self._http = settings.webhook_http
        words = settings.webhook_allow.replace(",", " ").split()
        self._networks = [ip_network(word, strict=False) for word in words if is_network(word)]
        self._hosts = {word.lower() for word in words if not is_network(word)}

    def check(self, url: str) -> Destination:
        """Check what can be known without looking the name up. Raises DestinationRefused."""
        destination = Destination.parse(url)
        if destination.scheme == "http" and not self._http:
            raise DestinationRefused("http:// is not accepted: use https://, or set WEBHOOK_HTTP=true")
        if literal := as_address(destination.host):
            self._require_allowed(destination, [literal])
        return destination

    def resolve(self, destination: Destination) -> list[str]:
        """The IP addresses of the host; connect to these alone, because a second look-up may answer otherwise.

        Raises:
            DestinationRefused: one of them must not be reached.
            OSError: the name has no address.
        """
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
        addresses = list(dict.fromkeys(str(each[4][0]).partition("%")[0] for each in found))
        self._require_allowed(destination, map(ip_address, addresses))
        return addresses

    def _require_allowed(self, destination: Destination, addresses: Iterable[Address]) -> None:
        if destination.host in self._hosts:
            return
        for address in addresses:
            if not is_public(address) and not any(address in network for network in self._networks):
                raise DestinationRefused(
                    f"{destination.host} is {address}, which is not an address on the internet. To allow it, name the "
                    "host or its network in WEBHOOK_ALLOW"
                )


def is_network(word: str) -> bool:
    """Whether it is an address or a network; a word with a slash or a colon must be one. Raises ValueError."""
    try:
        ip_network(word, strict=False)
    except ValueError:
        if "/" in word or ":" in word:
            raise ValueError(f"WEBHOOK_ALLOW: {word} is neither a host nor a network") from None
        return False
    return True


def as_address(host: str) -> Address | None:
    """The address that the host is written as; None for a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether it is on the internet, also by the IPv4 address that it may stand for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast
