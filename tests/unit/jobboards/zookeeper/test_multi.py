"""Our bytes are kazoo's bytes."""

from __future__ import annotations

from typing import Any

import pytest
from kazoo import security
from kazoo.client import KazooClient
from kazoo.protocol.serialization import Transaction

from funcflow.jobboards.zookeeper.multi import Multi

ACL = [
    security.make_acl("sasl", "fünc", all=True),
    security.make_acl("world", "anyone", read=True),
]


@pytest.mark.parametrize("chroot", ["", "/below/ä"])
@pytest.mark.parametrize("acl", [None, ACL])
def test_a_multi_is_written_as_kazoo_writes_it(chroot: str, acl: Any) -> None:
    client = KazooClient(f"127.0.0.1:1{chroot}", default_acl=acl)
    ours, theirs = Multi(client), client.transaction()
    ours.check("/sessions/a")
    theirs.check("/sessions/a", -1)
    for path, data, ephemeral in [("/a", b"", False), ("/ä/b", b"\0data", True)]:
        ours.create(path, data, ephemeral=ephemeral)
        theirs.create(path, data, ephemeral=ephemeral)
    ours.set_data("/a", b"new")
    theirs.set_data("/a", b"new")
    ours.delete("/a")
    theirs.delete("/a")
    assert ours.type == Transaction.type
    assert ours.serialize() == bytes(Transaction(theirs.operations).serialize())
