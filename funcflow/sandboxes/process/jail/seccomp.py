"""The system call filter of a worker: everything a function has no business with is refused.

A deny list, so that new libc and language versions keep working; the walls behind it (namespaces,
no capabilities) hold without it. Refused calls fail with EPERM, which programs understand.
"""

from __future__ import annotations

import errno
import platform
import struct

#: name: (x86_64, aarch64); None where the machine has no such call.
DENIED: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "adjtimex": (159, 171),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_adjtime": (305, 266),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "modify_ldt": (154, None),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "name_to_handle_at": (303, 264),
    "nfsservctl": (180, 42),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "personality": (135, 92),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "uselib": (134, None),
    "userfaultfd": (323, 282),
    "ustat": (136, None),
    "vhangup": (153, 58),
}

#: Calls whose arguments decide: (x86_64, aarch64).
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKET, _IOCTL = (41, 198), (16, 29)

_ARCH = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_NAMESPACES = 0x7E020000  # every CLONE_NEW flag clone knows
_FAMILIES = (1, 2, 10)  # unix, inet, inet6
_NETLINK = 16  # route only: getifaddrs and the like
#: TIOCSTI and TIOCLINUX put words into a terminal's mouth.
_IOCTLS = (0x5412, 0x541C)

_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_LOAD, _EQUAL, _GREATER, _BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR, _MACHINE, _ARG0, _ARG1, _ARG2 = 0, 4, 16, 24, 32


def _refuse(number: int) -> int:
    return 0x00050000 | number


def _op(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def program(machine: str | None = None) -> bytes:
    """The filter as ``struct sock_filter[]``.

    :raises NotImplementedError: for a machine whose calls are not in the table
    """
    machine = machine or platform.machine()
    if machine not in _ARCH:
        raise NotImplementedError(f"no system call table for {machine}")
    column, arch = _ARCH[machine]
    code = [
        _op(_LOAD, _MACHINE),
        _op(_EQUAL, arch, 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NR),
    ]
    if machine == "x86_64":  # the x32 variant has numbers of its own
        code += [_op(_GREATER, 0x40000000, 0, 1), _op(_RETURN, _refuse(errno.ENOSYS))]
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            code += [_op(_EQUAL, number, 0, 1), _op(_RETURN, _refuse(errno.EPERM))]
    # Its flags are behind a pointer; without it libc falls back to clone.
    code += [_op(_EQUAL, _CLONE3[column], 0, 1), _op(_RETURN, _refuse(errno.ENOSYS))]
    code += _when(_CLONE[column], _clone_rule())
    code += _when(_SOCKET[column], _socket_rule())
    code += _when(_IOCTL[column], _ioctl_rule())
    code.append(_op(_RETURN, _ALLOW))
    return b"".join(code)


def _when(number: int, rule: list[bytes]) -> list[bytes]:
    return [_op(_EQUAL, number, 0, len(rule)), *rule]


def _clone_rule() -> list[bytes]:
    return [
        _op(_LOAD, _ARG0),
        _op(_BITS, _NAMESPACES, 0, 1),
        _op(_RETURN, _refuse(errno.EPERM)),
        _op(_RETURN, _ALLOW),
    ]


def _socket_rule() -> list[bytes]:
    rule = [_op(_LOAD, _ARG0)]
    for family in _FAMILIES:
        rule += [_op(_EQUAL, family, 0, 1), _op(_RETURN, _ALLOW)]
    rule += [
        _op(_EQUAL, _NETLINK, 0, 3),
        _op(_LOAD, _ARG2),
        _op(_EQUAL, 0, 0, 1),
        _op(_RETURN, _ALLOW),
        _op(_RETURN, _refuse(errno.EAFNOSUPPORT)),
    ]
    return rule


def _ioctl_rule() -> list[bytes]:
    rule = [_op(_LOAD, _ARG1)]
    for request in _IOCTLS:
        rule += [_op(_EQUAL, request, 0, 1), _op(_RETURN, _refuse(errno.EPERM))]
    rule.append(_op(_RETURN, _ALLOW))
    return rule
