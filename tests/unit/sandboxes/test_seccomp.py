"""The filter, run by a small interpreter of its own."""

from __future__ import annotations

import errno
import os
import platform
import struct

import pytest

from funcflow.sandboxes.process.jail import seccomp

ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def run(machine: str, number: int, *args: int, arch: int | None = None) -> int:
    """What the kernel would answer."""
    program = list(struct.iter_unpack("HBBI", seccomp.program(machine)))
    given = [*args, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<iIQ6Q", number, arch or ARCHES[machine], 0, *given)
    at = accumulator = 0
    while True:
        code, yes, no, value = program[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, value)
        elif code == 0x06:
            return value
        else:
            true = {
                0x15: accumulator == value,
                0x35: accumulator >= value,
                0x45: bool(accumulator & value),
            }[code]
            at += yes if true else no


def refused(number: int) -> int:
    return 0x00050000 | number


@pytest.mark.parametrize("machine", ARCHES)
def test_every_denied_call(machine: str) -> None:
    column = list(ARCHES).index(machine)
    for numbers in seccomp.DENIED.values():
        number = numbers[column]
        if number is not None:
            assert run(machine, number) == refused(errno.EPERM)


@pytest.mark.parametrize(("machine", "clone"), [("x86_64", 56), ("aarch64", 220)])
def test_clone_makes_threads_but_no_namespaces(machine: str, clone: int) -> None:
    assert run(machine, clone, 0x3D0F00) == ALLOW
    assert run(machine, clone, 17) == ALLOW
    for bit in (0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert run(machine, clone, bit | 17) == refused(errno.EPERM)
    assert run(machine, 435) == refused(errno.ENOSYS)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 41), ("aarch64", 198)])
def test_socket_families(machine: str, number: int) -> None:
    for family in (1, 2, 10):
        assert run(machine, number, family, 1, 0) == ALLOW
    assert run(machine, number, 16, 3, 0) == ALLOW
    assert run(machine, number, 16, 3, 9) == refused(errno.EAFNOSUPPORT)
    for family in (0, 3, 17, 29, 31, 38, 40, 44):
        assert run(machine, number, family, 1, 0) == refused(errno.EAFNOSUPPORT)


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 16), ("aarch64", 29)])
def test_terminal_tricks(machine: str, number: int) -> None:
    assert run(machine, number, 0, 0x5412) == refused(errno.EPERM)
    assert run(machine, number, 0, 0x541C) == refused(errno.EPERM)
    assert run(machine, number, 0, 0x5401) == ALLOW


def test_ordinary_calls_and_other_architectures() -> None:
    for number in (0, 1, 2, 3, 9, 39, 57, 59, 202, 257, 318):
        assert run("x86_64", number) == ALLOW
    assert run("x86_64", 0x40000000 + 1) == refused(errno.ENOSYS)
    assert run("x86_64", 1, arch=0x40000003) == KILL


def test_an_unknown_machine_has_no_filter() -> None:
    with pytest.raises(NotImplementedError):
        seccomp.program("sparc")


@pytest.mark.skipif(platform.machine() not in ARCHES, reason="no table")
def test_numbers_of_this_machine_are_those_of_its_headers() -> None:
    header = f"/usr/include/{platform.machine()}-linux-gnu/asm/unistd_64.h"
    if not os.path.exists(header):
        pytest.skip("no kernel headers")
    with open(header, encoding="ascii") as file:
        words = [line.split() for line in file if line.startswith("#define __NR_")]
    numbers = {line[1].removeprefix("__NR_"): int(line[2]) for line in words}
    column = list(ARCHES).index(platform.machine())
    for name, found in seccomp.DENIED.items():
        if name in numbers:
            assert found[column] == numbers[name], name
