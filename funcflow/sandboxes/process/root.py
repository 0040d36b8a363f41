"""What a jail's read-only root holds, described as data.

Called by :mod:`.zygotes`; :mod:`.jail.root` builds it. The root has the interpreter, its standard
library, the shared libraries these need, a little of ``/etc`` and four devices; nothing else.
"""

from __future__ import annotations

import dataclasses
import glob
import json
import os
import shutil
import subprocess
from pathlib import Path

from funcflow import errors
from funcflow.sandboxes.process import elf

#: ["dir"|"link"|"file"|"bind", path in the jail, …]
Plan = list[list[str]]

#: Loaded at run time, or wanted by compiled packages that users bring along.
_EXTRA = (
    "libgcc_s.so.1",
    "libstdc++.so.6",
    "libm.so.6",
    "libdl.so.2",
    "librt.so.1",
    "libpthread.so.0",
    "libutil.so.1",
    "libresolv.so.2",
    "libnss_dns.so.2",
    "libnss_files.so.2",
)
_DEVICES = ("null", "zero", "full", "random", "urandom")
#: Public data that name resolution, TLS and time zones read.
_SHARED = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo")

_ETC = {
    "/etc/passwd": "root:x:0:0::/:/none\nfunction:x:1000:1000::/tmp:/none\n",
    "/etc/group": "root:x:0:\nfunction:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost function\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}

_ASK_PYTHON = """
import json, os, sys, sysconfig
base = getattr(sys, "_base_executable", None) or sys.executable
print(json.dumps({"program": os.path.realpath(base), "stdlib": sysconfig.get_path("stdlib"),
                  "platstdlib": sysconfig.get_path("platstdlib"), "version": sys.version_info[:2]}))
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Interpreter:
    """A language's program and the folders it cannot do without."""

    program: str
    folders: tuple[str, ...] = ()


def find_python(configured: str) -> Interpreter:
    """The real interpreter behind a path or a virtual environment.

    :raises errors.ConfigError: it cannot be run, or is too old
    """
    try:
        answer = subprocess.run(
            [configured, "-I", "-S", "-c", _ASK_PYTHON], capture_output=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise errors.ConfigError(f"sandbox.python {configured!r} cannot be run: {exc}") from exc
    told = json.loads(answer.stdout)
    if tuple(told["version"]) < (3, 11):
        raise errors.ConfigError(f"sandbox.python {configured!r} is older than Python 3.11")
    return Interpreter(told["program"], tuple({told["stdlib"], told["platstdlib"]}))


def find_node(configured: str) -> Interpreter | None:
    """None where there is no Node.js; then functions in that language cannot run."""
    program = shutil.which(configured)
    return Interpreter(os.path.realpath(program)) if program else None


def plan(interpreter: Interpreter, runtime: Path) -> Plan:
    """The root for one language; ``runtime`` is our own code in it."""
    libraries = elf.libraries(_compiled(interpreter), _EXTRA)
    steps: Plan = [["dir", path] for path in ("/package", "/tmp", "/proc", "/dev", "/empty")]  # noqa: S108
    for link in ("/bin", "/lib", "/lib64", "/sbin"):
        if os.path.islink(link):
            steps.append(["link", link, os.readlink(link)])
    steps += [["bind", f"/dev/{name}", f"/dev/{name}"] for name in _DEVICES]
    steps += [
        ["link", "/dev/shm", "/tmp"],  # noqa: S108
        ["link", "/dev/fd", "/proc/self/fd"],
        ["link", "/dev/stdin", "/proc/self/fd/0"],
        ["link", "/dev/stdout", "/proc/self/fd/1"],
        ["link", "/dev/stderr", "/proc/self/fd/2"],
    ]
    steps += [["file", path, text] for path, text in _ETC.items()]
    steps += [["bind", path, os.path.realpath(path)] for path in _SHARED if os.path.exists(path)]
    for folder in interpreter.folders:
        steps.append(["bind", folder, folder])
        # The operator's own packages are none of the function's business.
        for hidden in ("site-packages", "dist-packages", "test"):
            if os.path.isdir(os.path.join(folder, hidden)):
                steps.append(["hide", os.path.join(folder, hidden)])
    steps.append(["bind", interpreter.program, interpreter.program])
    steps += [["bind", inside, outside] for inside, outside in sorted(libraries.items())]
    steps.append(["bind", "/runtime", str(runtime)])
    return steps


def _compiled(interpreter: Interpreter) -> list[str]:
    """Everything of an interpreter that may want shared libraries."""
    found = [interpreter.program]
    for folder in interpreter.folders:
        found += glob.glob(os.path.join(folder, "lib-dynload", "*.so"))
    return found
