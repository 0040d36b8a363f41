"""The host's end of a worker's stream: frames out, frames and output in.

Used by the drivers' workers. The calling thread writes its frame and reads the answer itself. When
several runs share the worker, one of the callers reads for all (the leader) and wakes the
others; when it has its own answer it hands the lead to the next. There is no thread in between.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import threading
import time
from typing import Any

from funcflow.sandboxes.stream.logs import RunLog, Stream

_LENGTH = struct.Struct(">I")
_READ = 65536
#: Why a channel ended whose worker takes nothing in any more.
STUCK = "it does not read"
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Run:
    """One call in flight."""

    __slots__ = (
        "answer",
        "cancelled",
        "deadline",
        "done",
        "frame_limit",
        "id",
        "log",
        "sent",
        "stopped",
        "waiter",
    )

    def __init__(self, run_id: str, deadline: float, log: RunLog) -> None:
        self.id = run_id
        #: On the monotonic clock.
        self.deadline = deadline
        self.log = log
        self.answer: dict[str, Any] | None = None
        self.done = False
        #: Whether the worker can know of it.
        self.sent = False
        #: Its call is to return at once.
        self.stopped = False
        #: The worker was asked to stop it.
        self.cancelled = False
        self.waiter: threading.Lock | None = None


class Channel:
    """One worker's stream and log pipes. All descriptors are closed by :meth:`close`."""

    def __init__(self, sock: socket.socket, *pipes: int, max_frame: int = 1 << 20) -> None:
        """:param pipes: its output and its errors; none where they come as frames"""
        self.sock = sock
        self._pipes = pipes
        self.max_frame = max_frame
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        sock.setblocking(False)
        for fd in pipes:
            os.set_blocking(fd, False)
        # The stream comes first: poll looks in this order, so whoever sees an answer also sees
        # everything printed before it.
        self._poll = select.poll()
        for fd in (sock.fileno(), *pipes, self._wake):
            self._poll.register(fd, select.POLLIN)
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._send_lock = threading.Lock()
        self._leading = False
        self.runs: dict[str, Run] = {}
        #: Runs nobody waits for any more; their answers may still come.
        self._abandoned: set[str] = set()
        #: Why no more can be had from this worker: "closed", or what was wrong with a frame.
        self.ended: str | None = None

    def call(self, run: Run, message: dict[str, Any]) -> None:
        """Send and wait: afterwards ``run.done``, or its time is over, or it was stopped."""
        with self._lock:
            self.runs[run.id] = run
        try:
            run.sent = self._send(message, run.deadline)
            if run.sent:
                self._wait(run)
        finally:
            with self._lock:
                self.runs.pop(run.id, None)
                if not run.done:
                    self._abandoned.add(run.id)
            run.log.end()

    def stop(self, run_id: str) -> bool:
        """Make that run's ``call`` return; whether there was one."""
        with self._lock:
            run = self.runs.get(run_id)
            if run is None or run.done:
                return False
            run.stopped = True
            if run.waiter is not None and run.waiter.locked():
                run.waiter.release()
            os.eventfd_write(self._wake, 1)
            return True

    def hurry(self, run: Run, deadline: float) -> None:
        """Bring the end of the wait for that run forward."""
        with self._lock:
            if self.runs.get(run.id) is not run:
                return  # It is over, and the channel may be closed.
            run.deadline = min(run.deadline, deadline)
            if run.waiter is not None and run.waiter.locked():
                run.waiter.release()
            os.eventfd_write(self._wake, 1)

    def give_up(self, why: str) -> None:
        """Nothing more is to be had from this worker."""
        self._end(why)

    def hang_up(self) -> None:
        """End the conversation; whoever waits returns."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def close(self) -> None:
        """Release the descriptors; nobody may be inside ``call``."""
        self.sock.close()
        for fd in (*self._pipes, self._wake):
            os.close(fd)

    def _send(self, message: dict[str, Any], deadline: float) -> bool:
        body = json.dumps(message, separators=(",", ":")).encode()
        data = _LENGTH.pack(len(body)) + body
        with self._send_lock:
            while data:
                try:
                    sent = self.sock.send(data)
                except BlockingIOError:
                    if not self._writable(deadline):
                        return False
                    continue
                except OSError:
                    self._end("closed")
                    return False
                data = data[sent:]
        return True

    def _writable(self, deadline: float) -> bool:
        """Wait for room; a worker that does not read must not hold us longer than its time."""
        left = deadline - time.monotonic()
        if left > 0 and self.ended is None:
            room = select.poll()
            room.register(self.sock, select.POLLOUT)
            room.poll(min(left, 0.05) * 1000)
            return True
        self._end(STUCK)
        return False

    def _wait(self, run: Run) -> None:
        with self._lock:
            if run.done or run.stopped:
                return
            leads = not self._leading
            if leads:
                self._leading = True
            else:
                run.waiter = threading.Lock()
                run.waiter.acquire()
        while not leads:
            assert run.waiter is not None
            left = run.deadline - time.monotonic()
            woken = run.waiter.acquire(timeout=max(0.0, left))
            with self._lock:
                if run.done or run.stopped or not (woken or not self._leading):
                    # It may have been asked to lead just now; then the next one has to.
                    if not self._leading:
                        self._promote(run)
                    return
                if not self._leading:
                    leads = self._leading = True
        try:
            self._lead(run)
        finally:
            with self._lock:
                self._leading = False
                self._promote(run)

    def _promote(self, leaving: Run) -> None:
        """Ask one of those who wait to read for all; the lock is held."""
        for run in self.runs.values():
            waiter = run.waiter
            if run is not leaving and waiter is not None and not run.done and waiter.locked():
                waiter.release()
                return

    def _lead(self, run: Run) -> None:
        monotonic = time.monotonic
        sock = self.sock.fileno()
        while not run.done and not run.stopped and self.ended is None:
            left = run.deadline - monotonic()
            if left <= 0:
                return
            readable = 0
            for fd, event in self._poll.poll(left * 1000 + 1):
                if fd == sock:
                    readable = event
                elif fd == self._wake:
                    os.eventfd_read(self._wake)
                else:
                    self._read_log(fd, event)
            if readable:
                self._read_frames()

    def _read_log(self, fd: int, event: int) -> None:
        stream: Stream = "stdout" if fd == self._pipes[0] else "stderr"
        try:
            data = os.read(fd, _READ)
        except BlockingIOError:
            return
        if not data and event & _GONE:
            self._poll.unregister(fd)
            return
        # Unattributed output belongs to the run that has been there longest.
        for run in list(self.runs.values())[:1]:
            run.log.add(stream, data)

    def _read_frames(self) -> None:
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end("closed")
            return
        buffer = self._buffer
        buffer += data
        while len(buffer) >= 4:
            (length,) = _LENGTH.unpack_from(buffer)
            if length > self.max_frame:
                self._end(f"a frame of {length} bytes")
                return
            if len(buffer) < 4 + length:
                return
            body = bytes(buffer[4 : 4 + length])
            del buffer[: 4 + length]
            try:
                self._dispatch(json.loads(body))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
                self._end(f"a frame that is not of the protocol ({type(exc).__name__})")
                return

    def _dispatch(self, message: dict[str, Any]) -> None:
        """:raises ValueError: and its like for anything but an honest frame"""
        kind, run = message["op"], self.runs.get(message.get("id", ""))
        if kind == "log":
            if run is not None:
                text, stream = message["text"], message["stream"]
                if stream not in ("stdout", "stderr"):
                    raise ValueError(stream)
                run.log.add(stream, text.encode("utf-8", "replace"))
        elif kind in ("result", "ready"):
            if message.get("id") in self._abandoned:
                self._abandoned.discard(message["id"])
                return
            if run is None or run.done:
                raise ValueError(kind)
            with self._lock:
                self._finish(run, message)
        else:
            raise ValueError(kind)

    def _finish(self, run: Run, message: dict[str, Any] | None) -> None:
        run.answer, run.done = message, True
        if run.waiter is not None and run.waiter.locked():
            run.waiter.release()

    def _end(self, why: str) -> None:
        with self._lock:
            self.ended = self.ended or why
            for run in self.runs.values():
                if not run.done:
                    self._finish(run, None)
