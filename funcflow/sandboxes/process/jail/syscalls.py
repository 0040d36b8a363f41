"""The Linux calls Python has no function for.

Used by the zygote, which is single-threaded; every wrapper raises OSError with the call's name.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import signal
import socket
import struct

NEWNS, NEWCGROUP, NEWUTS = 0x00020000, 0x02000000, 0x04000000
NEWIPC, NEWUSER, NEWPID, NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
_CLONE_PIDFD = 0x1000

RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8
BIND, REC, PRIVATE = 4096, 16384, 1 << 18
_MNT_DETACH = 2
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_CAP_AMBIENT = 22, 24, 47

_NUMBERS = {
    "x86_64": {"clone": 56, "pivot_root": 155, "capset": 126, "mount_setattr": 442},
    "aarch64": {"clone": 220, "pivot_root": 41, "capset": 91, "mount_setattr": 442},
}
NUMBERS = _NUMBERS.get(platform.machine(), {})

# PyDLL keeps the interpreter's lock: a clone must not return into a thread without it.
_libc = ctypes.PyDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
    return result


def _syscall(name: str, *args: object) -> int:
    if name not in NUMBERS:
        raise OSError(38, f"{name} is not known on {platform.machine()}", name)
    return _check(_libc.syscall(ctypes.c_long(NUMBERS[name]), *args), name)


def clone(flags: int) -> tuple[int, int]:
    """Fork into new namespaces: (pid, pidfd) in the parent, (0, -1) in the child."""
    pidfd = ctypes.c_int(-1)
    pid = _syscall(
        "clone",
        ctypes.c_ulong(flags | _CLONE_PIDFD | signal.SIGCHLD),
        ctypes.c_void_p(0),
        ctypes.byref(pidfd),
        ctypes.c_void_p(0),
        ctypes.c_void_p(0),
    )
    return pid, (pidfd.value if pid else -1)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def setns(fd: int, flags: int) -> None:
    _check(_libc.setns(fd, flags), "setns")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    result = _libc.mount(
        source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode()
    )
    _check(result, f"mount {target}")


def bind(source: str, target: str, recursive: bool = False) -> None:
    mount(source, target, "", BIND | (REC if recursive else 0))


def restrict(target: str, *, nodev: bool, recursive: bool) -> None:
    """Make a mount (with all below it) read-only and void of set-uid bits."""
    attributes = struct.pack("QQQQ", RDONLY | NOSUID | (NODEV if nodev else 0), 0, 0, 0)
    _syscall(
        "mount_setattr",
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(target.encode()),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.c_char_p(attributes),
        ctypes.c_size_t(len(attributes)),
    )


def enter_root(path: str) -> None:
    """Make ``path`` (a mount) the root and let go of the old one."""
    os.chdir(path)
    _syscall("pivot_root", ctypes.c_char_p(b"."), ctypes.c_char_p(b"."))
    _check(_libc.umount2(b".", _MNT_DETACH), "umount old root")
    os.chdir("/")


def umount(path: str) -> None:
    _check(_libc.umount2(path.encode(), _MNT_DETACH), f"umount {path}")


def sethostname(name: str) -> None:
    raw = name.encode()
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def prctl(option: int, *args: int) -> None:
    full = [ctypes.c_ulong(arg) for arg in (*args, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *full), f"prctl {option}")


def install_filter(program: bytes) -> None:
    """Put a seccomp filter (``struct sock_filter[]``) on this process and its children."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    raw = ctypes.create_string_buffer(header, len(header))
    _check(
        _libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(2), ctypes.byref(raw), 0, 0), "seccomp filter"
    )


def drop_bounding() -> None:
    """Let no program executed from here on gain a capability."""
    for capability in range(64):
        try:
            prctl(PR_CAPBSET_DROP, capability)
        except OSError:
            break


def drop_capabilities() -> None:
    """No capability in any set, and none to be had again."""
    drop_bounding()
    prctl(PR_CAP_AMBIENT, 4)
    header = struct.pack("Ii", 0x20080522, 0)
    _syscall("capset", ctypes.c_char_p(header), ctypes.c_char_p(bytes(24)))


def loopback_up() -> None:
    """Let a fresh network namespace talk to itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))


def loopback_address(address: str) -> None:
    """One more address of this network namespace: it leads nowhere else from now on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for request, value in ((0x8916, address), (0x891C, "255.255.255.255")):
            packed = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(sock, request, struct.pack("16s16s", b"lo:1", packed))
