"""Which addresses may be reached, whatever they are called."""

from __future__ import annotations

import ipaddress
import socket
import threading

import pytest

from funcflow import errors
from funcflow.egress import addresses
from funcflow.egress.addresses import Guard, Refused, Unreachable

FORBIDDEN = [
    "0.0.0.0",
    "10.1.2.3",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.19.0.1",
    "224.0.0.251",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2606:4700::5efe:7f00:1",
    "2606:4700::200:5efe:a00:1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "2606:4700::1111",
    "64:ff9b::101:101",
    "::ffff:1.1.1.1",
]


def guard(*found: str, allow: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> Guard:
    """A guard for whom every name stands for these addresses."""
    return Guard(addresses.networks(allow), addresses.networks(deny), lambda host, port: found)


@pytest.mark.parametrize("address", FORBIDDEN)
def test_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(Refused):
        guard(address).addresses("name", 80, 1)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_may_be_reached(address: str) -> None:
    (found,) = guard(address).addresses("name", 80, 1)
    assert not isinstance(found, ipaddress.IPv6Address) or found.ipv4_mapped is None


def test_only_the_good_addresses_of_a_name_are_used() -> None:
    found = guard("10.0.0.1", "1.1.1.1", "::1").addresses("name", 80, 1)
    assert [str(address) for address in found] == ["1.1.1.1"]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.0.0/16"),
        ("::1", "::1"),
        ("::ffff:10.1.2.3", "10.1.0.0/16"),
        ("64:ff9b::a01:203", "10.1.0.0/16"),
    ],
)
def test_an_operator_may_allow_more(address: str, network: str) -> None:
    assert guard(address, allow=(network,)).addresses("name", 80, 1)


def test_an_operator_may_allow_less() -> None:
    with pytest.raises(Refused, match="operator"):
        guard("1.1.1.1", deny=("1.1.0.0/16",)).addresses("name", 80, 1)
    assert guard("1.1.1.1", allow=("1.1.1.1",), deny=("1.1.0.0/16",)).addresses("name", 80, 1)


@pytest.mark.parametrize(
    "spelling", ["127.1", "2130706433", "0x7f000001", "017700000001", "0", "localhost"]
)
def test_spellings_are_judged_by_what_they_mean(spelling: str) -> None:
    """These go through the machine's own resolver."""
    with pytest.raises((Refused, Unreachable)):
        Guard().addresses(spelling, 80, 5)


def test_addresses_of_this_machine_are_its_own_even_if_public(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loopback is on every machine; that it is loopback is not to be the reason here."""
    monkeypatch.setattr(addresses, "_REFUSED", ())
    with pytest.raises(Refused, match="this machine"):
        guard("127.0.0.1").addresses("name", 80, 1)


def test_a_name_without_address_is_said_so() -> None:
    def nothing(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(Unreachable, match="not known"):
        Guard(resolve=nothing).addresses("name", 80, 1)
    with pytest.raises(Unreachable, match="no name of a host"):
        Guard().addresses(f"{'a' * 64}.example", 80, 1)


def test_nobody_waits_for_a_slow_resolver() -> None:
    over = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        over.wait(60)
        return ["1.1.1.1"]

    with pytest.raises(TimeoutError, match="in time"):
        Guard(resolve=slow).addresses("name", 80, 0.01)
    over.set()


def test_a_network_that_is_none_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(errors.ConfigError, match=r"10\.0\.0\.1/8"):
        addresses.networks(["10.0.0.1/8"])
