"""Everything a function should not do, one way each. Runs inside sandboxes only."""

import ctypes
import errno
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from walls import (  # noqa: F401 - found by name in this module
    read_paths,
    write_paths,
    listing,
    look_around,
    connect,
    connect_abstract,
    families,
    own_loopback,
    syscalls,
    kill_all,
)


def one_of(name, given):
    """Any function of this module, for those that leave their worker as it was."""
    return globals()[name](**given)


def fork_bomb():
    made = 0
    while True:
        try:
            if os.fork() == 0:
                time.sleep(60)
            made += 1
        except OSError as exc:
            return {"made": made, "error": errno.errorcode[exc.errno]}


def fork_bomb_forever():
    while True:
        try:
            os.fork()
        except OSError:
            pass


def memory_hog():
    kept = []
    while True:
        kept.append(bytearray(8 << 20))


def child_hog():
    """A child process eats; the function survives and says so."""
    eat = "kept = []\nwhile True: kept.append(bytearray(8 << 20))"
    return subprocess.run([sys.executable, "-c", eat], stderr=subprocess.DEVNULL).returncode


def endless_log():
    while True:
        print("x" * 1000)


def endless_raw_log():
    block = b"y" * 65536
    while True:
        os.write(1, block)


def log_then_return():
    for _ in range(20_000):
        print("z" * 100)
    return "done"


def fill_tmp():
    written = 0
    try:
        with open("/tmp/full", "wb") as file:
            while True:
                written += file.write(b"0" * (1 << 20))
                file.flush()
    except OSError as exc:
        return {"written": written, "error": errno.errorcode[exc.errno]}


def many_small_files():
    for n in range(200_000):
        try:
            with open(f"/tmp/f{n}", "w"):
                pass
        except OSError as exc:
            return {"made": n, "error": errno.errorcode[exc.errno]}


def open_many():
    kept = []
    for _ in range(100_000):
        kept.append(open("/dev/null"))


def daemon(seconds=300):
    """Leave a process behind that has cut all ties."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(256):
                try:
                    os.close(fd)
                except OSError:
                    pass
            time.sleep(seconds)
        os._exit(0)
    os.wait()
    return "left one behind"


def child():
    """Leave a plain child behind."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    return "left one behind"


def waited_child():
    return subprocess.run(
        [sys.executable, "-c", "print(42)"], capture_output=True, text=True
    ).stdout


def chatty_child():
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    os.system("true")
    os.write(1, b"raw out\n")
    os.write(2, b"raw err\n")


started = []


def thread():
    """Leave a thread behind that counts on."""

    def count():
        while True:
            started[0] += 1
            time.sleep(0.001)

    if not started:
        started.append(0)
        threading.Thread(target=count, daemon=True).start()
    return started[0]


def close_output():
    os.close(1)
    os.close(2)
    return "closed"


def close_streams():
    sys.stdout.close()
    sys.stderr.close()
    return "closed"


def close_protocol():
    os.close(_stream())
    time.sleep(60)


def close_everything():
    os.closerange(0, 1024)
    time.sleep(60)


def exit_zero():
    sys.exit(0)


def hard_exit():
    os._exit(7)


def kill_self():
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def abort():
    os.abort()


def segfault():
    ctypes.string_at(8)


def exit_in_thread():
    threading.Thread(target=os._exit, args=(9,)).start()
    time.sleep(60)


def ignore_signals():
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass


def hang_with_children():
    for _ in range(5):
        if os.fork() == 0:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(1)
    while True:
        time.sleep(1)


def garbage(what):
    """Write something to the host that is no answer."""
    frames = {
        "noise": os.urandom(100_000),
        "huge": struct.pack(">I", 0xFFFFFFFF) + b"x" * 1000,
        "not json": struct.pack(">I", 5) + b"{{{{{",
        "not an object": struct.pack(">I", 2) + b"[]",
        "deep": _frame(b"[" * 100_000),
        "no op": _frame(b"{}"),
        "not text": _frame(b'{"op":"result","id":["x"]}'),
        "another's answer": _frame(
            json.dumps({"op": "result", "id": "other", "value": "1"}).encode()
        ),
        "ready again": _frame(b'{"op":"ready","id":""}'),
        "half": struct.pack(">I", 1000) + b"x",
        "log of nobody": _frame(b'{"op":"log","id":"other","stream":"stdout","text":"x"}'),
        "log of odd stream": _frame(b'{"op":"log","id":"%s","stream":"system","text":"x"}'),
    }
    with socket.socket(fileno=os.dup(_stream())) as sock:
        sock.sendall(frames[what])
    time.sleep(60)


def forge(fields, context):
    """Answer for oneself, with whatever fields."""
    message = {"op": "result", "id": context.execution_id, **fields}
    with socket.socket(fileno=os.dup(_stream())) as sock:
        sock.sendall(_frame(json.dumps(message).encode()))
    time.sleep(60)


def flood(context):
    frame = _frame(
        json.dumps(
            {"op": "log", "id": context.execution_id, "stream": "stdout", "text": "x" * 8000}
        ).encode()
    )
    with socket.socket(fileno=os.dup(_stream())) as sock:
        while True:
            sock.sendall(frame)


def _stream():
    """The descriptor of the connection to the host: 3 in a jail, whatever it is in a pod."""
    for fd in range(3, 64):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("socket:"):
                return fd
        except OSError:
            pass
    return 3


def _frame(body):
    return struct.pack(">I", len(body)) + body


def huge_result():
    return "x" * (64 << 20)


def deep_result():
    value = []
    for _ in range(100_000):
        value = [value]
    return value


def recursion():
    return recursion()


def c_recursion():
    sys.setrecursionlimit(10**9)

    class A:
        def __getattr__(self, name):
            return getattr(self, name + "x")

    return A().a


def symlinks():
    """Point out of the sandbox and read through it."""
    found = {}
    for name, target in (
        ("up", "/../../../../etc/shadow"),
        ("root", "/proc/1/root/etc/shadow"),
        ("self", "/proc/self/root/etc/shadow"),
        ("cwd", "/proc/1/cwd/etc/shadow"),
    ):
        os.symlink(target, f"/tmp/{name}")
        found[name] = read_paths([f"/tmp/{name}"])[f"/tmp/{name}"]
    return found


def bad_exception():
    class Bad(Exception):
        def __str__(self):
            raise RuntimeError("no message for you")

    raise Bad


def odd_exception():
    raise type("N\0ul\ud800" * 100, (Exception,), {})("m\0\ud800" * 50_000)


def nul_log():
    os.write(1, b"a\0b\xff\xfe\n")
