"""Keeps workers in the host's own network away from the cloud's metadata service.

A rule of the kernel's routing, for the range of users that workers have and for nobody else: what a
virtual machine may ask about itself is not for functions. It stays when the service ends. Called by
:mod:`.zygote`.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

#: Of OpenStack and of everybody who followed; the second one needs IPv6.
_ADDRESSES = ((socket.AF_INET, "169.254.169.254"), (socket.AF_INET6, "fe80::a9fe:a9fe"))
_NEWRULE, _ERROR = 32, 2
#: Request, acknowledge, not twice, create.
_FLAGS = 0x1 | 0x4 | 0x200 | 0x400
_PROHIBIT = 8
_DESTINATION, _PRIORITY, _UID_RANGE = 1, 6, 20
#: Before the tables a system has of its own.
_FIRST = 100


def prohibit(first: int, last: int) -> None:
    """The users from ``first`` to ``last`` cannot reach it.

    :raises OSError: we may not say so
    """
    for family, address in _ADDRESSES:
        try:
            _add(family, socket.inet_pton(family, address), first, last)
        except FileExistsError:
            pass
        except OSError as exc:
            if family == socket.AF_INET or exc.errno not in (errno.EAFNOSUPPORT, errno.EOPNOTSUPP):
                raise


def _add(family: int, address: bytes, first: int, last: int) -> None:
    body = struct.pack("BBBBBBBBI", family, len(address) * 8, 0, 0, 0, 0, 0, _PROHIBIT, 0)
    for kind, value in (
        (_DESTINATION, address),
        (_PRIORITY, struct.pack("I", _FIRST)),
        (_UID_RANGE, struct.pack("II", first, last)),
    ):
        body += struct.pack("HH", 4 + len(value), kind) + value
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as sock:
        sock.send(struct.pack("IHHII", 16 + len(body), _NEWRULE, _FLAGS, 1, 0) + body)
        kind, status = struct.unpack_from("4xH10xi", sock.recv(4096))
    if kind != _ERROR:
        raise OSError(errno.EPROTO, "the kernel's answer is none")
    if status:
        raise OSError(-status, os.strerror(-status))
