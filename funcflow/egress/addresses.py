"""Which addresses a stranger may have us connect to: public ones, and those an operator allows.

Names are judged by what they resolve to, after resolving, so that no spelling of an address
(decimal, octal, mapped, translated) gets round it.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence

from funcflow import errors

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Addresses of a name and port, as texts; raises OSError. May be slow.
Resolver = Callable[[str, int], Sequence[str]]

#: IPv4 that is nobody's public address, and why.
_IPV4 = {
    "0.0.0.0/8": "this host",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a carrier's customers",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "a cloud's metadata",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "for protocols",
    "192.0.2.0/24": "for documentation",
    "192.88.99.0/24": "a relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
#: The same of IPv6; whatever is outside _PUBLIC is refused without a look at this.
_IPV6 = {
    "2001::/23": "for protocols",
    "2001:db8::/32": "for documentation",
    "2002::/16": "a tunnel",
    "3fff::/20": "for documentation",
}
_PUBLIC = ipaddress.IPv6Network("2000::/3")
_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), why) for network, why in (_IPV4 | _IPV6).items()
)
#: IPv6 whose last 32 bits are the IPv4 address that is meant.
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
#: Bits of an interface identifier that say the rest is an IPv4 address (ISATAP).
_TUNNELS = (0x00005EFE, 0x02005EFE)


class Refused(errors.Forbidden):
    """The place is not one for strangers."""

    hint = "Name a public address, or ask your operator to allow the network."


class Unreachable(errors.Unavailable):
    """No connection, no address, no TLS, or no HTTP."""

    hint = "Check the address; see whether the server answers."


class Guard:
    """Judges addresses; one for the process."""

    def __init__(
        self,
        allow: Sequence[Network] = (),
        deny: Sequence[Network] = (),
        resolve: Resolver | None = None,
    ) -> None:
        """
        :param allow: networks that may be reached although they are not public
        :param deny: networks that may not be reached although they are public
        :param resolve: default: the machine's
        """
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        self._resolve = resolve or resolve_here

    def addresses(
        self, host: str, port: int, wait: float, done: threading.Event | None = None
    ) -> list[Address]:
        """What may be connected to of what the name stands for, best first.

        :param wait: seconds the look-up may take
        :param done: set by who does not want to wait any longer
        :raises Refused: nothing of it
        :raises Unreachable: the name stands for nothing
        :raises TimeoutError: not in time
        """
        found = [
            _plain(ipaddress.ip_address(text)) for text in self._look_up(host, port, wait, done)
        ]
        good = [address for address in found if self.objection(address) is None]
        if not good:
            reason = self.objection(found[0])
            raise Refused(f"{host} is {found[0]}, which may not be reached: {reason}")
        return good

    def objection(self, address: Address) -> str | None:
        """Why the address may not be reached; None: it may."""
        meant = _meant(address)
        if any(each in network for network in self._allow for each in (address, meant)):
            return None
        if any(each in network for network in self._deny for each in (address, meant)):
            return "refused by the operator"
        for network, why in _REFUSED:
            if meant in network:
                return why
        if isinstance(meant, ipaddress.IPv6Address):
            if meant not in _PUBLIC:
                return "not public"
            if int(meant) >> 32 & 0xFFFFFFFF in _TUNNELS:
                return "a tunnel"
        return "this machine" if _own(address) else None

    def _look_up(
        self, host: str, port: int, wait: float, done: threading.Event | None
    ) -> Sequence[str]:
        """The system's resolver cannot be told when to stop, so another thread waits for it."""
        done = done or threading.Event()
        found: list[str] = []
        problem: list[OSError] = []

        def look_up() -> None:
            try:
                found.extend(self._resolve(host, port))
            except OSError as error:
                problem.append(error)
            finally:
                done.set()

        threading.Thread(target=look_up, name="resolve", daemon=True).start()
        if not done.wait(wait):
            raise TimeoutError(f"the address of {host} was not found in time")
        if problem or not found:
            said = problem[0].strerror if problem else None
            raise Unreachable(f"{host} has no address: {said or 'none found'}")
        return list(found)


def networks(texts: Sequence[str]) -> list[Network]:
    """Networks out of the configuration: ``10.1.0.0/16``, or one address.

    :raises funcflow.errors.ConfigError: one cannot be understood
    """
    try:
        return [ipaddress.ip_network(text.strip()) for text in texts]
    except ValueError as exc:
        raise errors.ConfigError(f"not a network: {exc}") from exc


def resolve_here(host: str, port: int) -> list[str]:
    """The machine's own resolver, /etc/hosts included."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as exc:
        raise OSError(0, "it is no name of a host") from exc
    return [str(address[0]) for *_, address in found]


def _plain(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes is what it is to the kernel: IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _meant(address: Address) -> Address:
    """Where a packet to the address ends up."""
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _own(address: Address) -> bool:
    """Is it an address of this machine, whatever kind? Nothing is sent to find out."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((str(address), 9))
            return bool(probe.getsockname()[0] == str(address))
        except OSError:
            return False  # There is no way there.
