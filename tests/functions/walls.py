"""Functions that look and reach for what lies outside their walls. See hostile.py."""

import ctypes
import errno
import os
import resource
import signal
import socket

libc = ctypes.CDLL(None, use_errno=True)


def read_paths(paths):
    found = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                found[path] = file.read(4096).decode(errors="replace")
        except OSError as exc:
            found[path] = errno.errorcode[exc.errno]
    return found


def write_paths(paths):
    found = {}
    for path in paths:
        try:
            with open(path, "w") as file:
                file.write("x")
            found[path] = "written"
        except OSError as exc:
            found[path] = errno.errorcode[exc.errno]
    return found


def listing(path):
    try:
        return sorted(os.listdir(path))
    except OSError as exc:
        return errno.errorcode[exc.errno]


def look_around():
    return {
        "pids": [int(p) for p in os.listdir("/proc") if p.isdigit()],
        "uid": [os.getuid(), os.geteuid()],
        "environ": dict(os.environ),
        "fds": sorted(os.listdir("/proc/self/fd")),
        "hostname": socket.gethostname(),
        "interfaces": [name for _, name in socket.if_nameindex()],
        "status": open("/proc/self/status").read(),
        "limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "mounts": open("/proc/self/mounts").read(),
        "cgroup": open("/proc/self/cgroup").read(),
    }


def connect(addresses):
    from concurrent.futures import ThreadPoolExecutor

    def one(address):
        host, port = address
        with socket.socket() as sock:
            sock.settimeout(3)
            try:
                sock.connect((host, port))
                return f"{host}:{port}", "connected"
            except OSError as exc:
                return f"{host}:{port}", errno.errorcode.get(exc.errno, type(exc).__name__)

    with ThreadPoolExecutor(8) as pool:
        return dict(pool.map(one, addresses))


def connect_abstract(name):
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect("\0" + name)
        except OSError as exc:
            return errno.errorcode[exc.errno]
    return "connected"


def families(numbers):
    found = {}
    for number in numbers:
        try:
            socket.socket(number, socket.SOCK_RAW if number == 17 else socket.SOCK_DGRAM).close()
            found[str(number)] = "made"
        except OSError as exc:
            found[str(number)] = errno.errorcode[exc.errno]
    return found


def own_loopback():
    """A worker may talk to itself."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            return "connected"


def syscalls(calls):
    """{name: errno name or result} of raw system calls: [name, number, arguments]."""
    found = {}
    for name, number, arguments in calls:
        ctypes.set_errno(0)
        values = [
            ctypes.c_char_p(a.encode()) if isinstance(a, str) else ctypes.c_long(a)
            for a in arguments
        ]
        result = libc.syscall(ctypes.c_long(number), *values)
        found[name] = errno.errorcode[ctypes.get_errno()] if result < 0 else "allowed"
    return found


def kill_all():
    """Signal everything there is to see, by pid and all at once."""
    found = {}
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for pid in {*range(1, 3000)} - {os.getpid()}:
        try:
            os.kill(pid, signal.SIGKILL)
            found[str(pid)] = "sent"
        except OSError as exc:
            if exc.errno != errno.ESRCH:
                found[str(pid)] = errno.errorcode[exc.errno]
    try:
        os.kill(-1, signal.SIGTERM)
    except OSError as exc:
        found["all"] = errno.errorcode[exc.errno]
    return found
