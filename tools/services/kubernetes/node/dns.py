"""``API CA CERTIFICATE KEY ADDRESS``: the cluster's names of services, over UDP; no others.

Started by ``up.sh``.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading
from typing import Any

from tools.services.kubernetes.node.api import Objects, Watcher

_names: dict[str, list[str]] = {}


def names(services: Objects, endpoints: Objects) -> dict[str, list[str]]:
    """Addresses by name: of the service, or of its ready pods where it has none."""
    found = {}
    for (namespace, name), service in services.items():
        address = service["spec"].get("clusterIP")
        subsets = endpoints.get((namespace, name), {}).get("subsets") or []
        pods = [each for subset in subsets for each in subset.get("addresses") or []]
        domain = f"{name}.{namespace}.svc.cluster.local"
        headless = address in (None, "", "None")
        found[domain] = [each["ip"] for each in pods] if headless else [address]
        for each in pods:
            if each.get("hostname"):
                found[f"{each['hostname']}.{domain}"] = [each["ip"]]
    return found


def answer(question: bytes) -> bytes:
    """An A record each, or NXDOMAIN; nothing for other kinds of records."""
    at, labels = 12, []
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode("latin1").lower())
        at += length + 1
    kind, _ = struct.unpack_from("!HH", question, at + 1)
    known = _names.get(".".join(labels))
    addresses = known if known and kind in (1, 255) else []
    flags = 0x8580 | (3 if known is None else 0)
    records = b"".join(
        b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 5, 4) + socket.inet_aton(each)
        for each in addresses
    )
    head = question[:2] + struct.pack("!HHHHH", flags, 1, len(addresses), 0, 0)
    return head + question[12 : at + 5] + records


def serve(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 53))
        while True:
            question, peer = sock.recvfrom(1500)
            try:
                sock.sendto(answer(question), peer)
            except (IndexError, struct.error, OSError) as exc:
                print(f"a question of {peer}: {exc}", flush=True)


def update(kinds: dict[str, Any]) -> None:
    global _names
    _names = names(kinds["services"], kinds["endpoints"])


if __name__ == "__main__":
    threading.Thread(target=serve, args=(sys.argv[5],), daemon=True).start()
    Watcher(*sys.argv[1:5]).run(
        {"services": "/api/v1/services", "endpoints": "/api/v1/endpoints"}, update
    )
