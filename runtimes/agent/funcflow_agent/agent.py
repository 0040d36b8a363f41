"""A pod's life: one package, one load, runs until it ends. Speaks with one conductor at a time.

Made by :mod:`.main`; :mod:`.door` brings connections, a host (:mod:`.process` or
:mod:`.image.host`) runs the function.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from . import unpack
from .loop import Loop, Timer
from .metadata import Front
from .meters import Usage
from .output import Log
from .process import ENVIRONMENT
from .reach import Reach
from .relay import Listener
from .stream import Stream

State = Literal["generic", "specialised", "ended"]

#: The id of the load among the runs.
_LOAD = ""
_LOAD_LOG = 65_536
_LOAD_TIMEOUT = 30.0
#: Members of ``load`` that are between the conductor and the agent.
_OURS = ("max_pids", "tmp_size", "open_files", "timeout")


class Host(Protocol):
    """Where the function runs. ``kill`` and its own end both lead to ``Listener.ended``."""

    listener: Listener | None

    def load(self, message: Mapping[str, Any]) -> None: ...

    def send(self, body: bytes) -> None: ...

    def listen(self, wanted: bool) -> None: ...

    def flush(self) -> None: ...

    def leaked(self) -> bool: ...

    def kill(self, reason: str) -> None: ...


class _Run:
    __slots__ = ("cpu", "log", "timer")

    def __init__(self, log: Log, timer: Timer) -> None:
        self.log = log
        self.timer = timer
        #: Seconds, its share of what was used while it was open.
        self.cpu = 0.0


class Agent:
    """See :class:`.relay.Listener` for what a host tells it."""

    def __init__(
        self,
        loop: Loop,
        host: Host,
        usage: Usage,
        package: Path,
        work: Path,
        *,
        metadata: Sequence[socket.socket] = (),
        metadata_url: str = "",
        is_image: bool = False,
    ) -> None:
        """:param metadata: listeners of the metadata service, told to the function as this URL"""
        self._loop = loop
        self._host = host
        self._usage = usage
        self._package = package
        #: The image has its package in itself.
        self._is_image = is_image
        self._work = work
        self._metadata = Front(loop, list(metadata), self._ask)
        self._metadata_url = metadata_url
        self._stream: Stream | None = None
        self._state: State = "generic"
        self._digest: str | None = None
        self._load: dict[str, Any] | None = None
        self._ready: dict[str, Any] | None = None
        self._alone = True
        self._runs: dict[str, _Run] = {}
        #: What had been used when runs were last charged for it.
        self._charged: float | None = None
        #: Runs that have their result already; the runtime's own may still come.
        self._abandoned: set[str] = set()
        self._retired = self._leaving = False
        self._steps = {
            "package": self._take_package,
            "load": self._take_load,
            "invoke": self._invoke,
            "cancel": self._cancel,
            "metadata": self._learn,
            "end": self._end,
            "reach": self._reach,
        }
        host.listener = self

    # -- the conductor -----------------------------------------------------------------

    def enter(self, stream: Stream) -> None:
        """A connection that proved itself; the one before is over."""
        if self._stream is not None:
            self._stream.close()
            self._lost("")
        self._stream = stream
        stream.on_frame, stream.on_end = self._frame, self._lost
        self._tell({"op": "welcome", "state": self._state, "digest": self._digest})

    def _frame(self, message: dict[str, Any], body: bytes) -> None:
        step = self._steps.get(message["op"])
        try:
            if step is None:
                raise ValueError(message["op"])
            step(message, body)
        except (KeyError, TypeError, ValueError) as exc:
            print(f"a frame {message['op'][:99]!r} makes no sense: {exc!r}", file=sys.stderr)
            if self._stream is not None:
                self._stream.close()
            self._lost("")

    def _lost(self, why: str) -> None:
        self._stream = None
        if self._runs:
            self._host.kill("lost")

    def _tell(self, message: Mapping[str, Any]) -> None:
        if self._stream is not None:
            self._stream.send(dict(message))

    def leave(self) -> None:
        """The pod is being deleted: open runs finish, as long as it is given."""
        self._retired = self._leaving = True
        if self._state == "ended":
            self._loop.running = False
        elif not self._runs:
            self._host.kill("terminated")

    def _reach(self, message: dict[str, Any], body: bytes) -> None:
        Reach(self._loop, lambda found: self._tell({"op": "reach", "connected": found}))

    # -- becoming a function's ---------------------------------------------------------

    def _take_package(self, message: dict[str, Any], body: bytes) -> None:
        size, digest = int(message["size"]), str(message["digest"])
        assert self._stream is not None
        taking = self._stream.take(size)
        try:
            if self._state != "generic" or self._digest is not None or self._is_image:
                taking.finish()
                self._refuse("the pod takes no package any more")
                return
            unpack.unpack(taking, self._package)  # type: ignore[arg-type]
            taking.finish()
        except (unpack.BadArchive, OSError) as exc:
            self._state = "ended"
            self._refuse(f"the package cannot be unpacked: {exc}")
            return
        self._digest = digest

    def _take_load(self, message: dict[str, Any], body: bytes) -> None:
        if self._load == message and self._ready is not None and self._state == "specialised":
            self._tell(self._ready)
            return
        if self._state != "generic" or self._load is not None:
            self._refuse("the pod is another function's")
            return
        self._load, self._state = message, "specialised"
        concurrency = int(message.get("concurrency", 1))
        self._alone = concurrency == 1
        timeout = float(message.get("timeout", _LOAD_TIMEOUT))
        self._runs[_LOAD] = self._run(_LOAD, _LOAD_LOG, timeout, self._load_late)
        load = {name: value for name, value in message.items() if name not in _OURS}
        own = {"FUNCFLOW_METADATA_URL": self._metadata_url}
        load["environment"] = {**ENVIRONMENT, **message.get("environment", {}), **own}
        load["logs"] = "fd" if self._alone else "frames"
        load["package"], load["work"] = str(self._package), str(self._work)
        try:
            self._host.load({**{name: message.get(name) for name in _OURS}, **load})
        except OSError as exc:
            self._close_run(_LOAD)
            self._state = "ended"
            self._refuse(f"the runtime does not start: {exc}")

    def _refuse(self, why: str) -> None:
        self._tell({"op": "refused", "message": why})

    def _load_late(self) -> None:
        timeout = float((self._load or {}).get("timeout", _LOAD_TIMEOUT))
        message = f"the function is not loaded after {timeout:g} s"
        if self._is_image:
            message = f"the image speaks none of the protocols after {timeout:g} s"
        self._host.flush()
        self._close_run(_LOAD)
        self._tell({"op": "ready", "error": _error("LoadError", message)})
        self._retired = True
        self._host.kill("retired")

    # -- calls -------------------------------------------------------------------------

    def _invoke(self, message: dict[str, Any], body: bytes) -> None:
        run = str(message["id"])
        timeout = float(message["timeout"])
        if self._retired or self._ready is None or self._state != "specialised":
            error = _error("WorkerGone", "the worker takes no calls")
            self._tell({"op": "result", "id": run, "error": error, "usage": {}})
            return
        if run in self._runs or run == _LOAD:
            raise ValueError(run)
        late = f"Function execution timeout: it was stopped after {timeout:g} s"
        self._runs[run] = self._run(
            run,
            int(message.get("log_limit", 0)),
            timeout,
            lambda: self._stop(run, "timeout", _error("Timeout", late)),
        )
        self._host.send(body)

    def _cancel(self, message: dict[str, Any], body: bytes) -> None:
        run = str(message["id"])
        if run in self._runs and run != _LOAD:
            self._stop(run, "cancelled", _error("Cancelled", "the execution was cancelled"))

    def _end(self, message: dict[str, Any], body: bytes) -> None:
        self._retired = True
        self._host.kill("end")

    def _run(self, run: str, log_limit: int, timeout: float, late: Any) -> _Run:
        self._charge()
        self._host.listen(True)
        return _Run(Log(run, log_limit, self.log), self._loop.after(timeout, late))

    def _charge(self) -> None:
        """Share what was used since the last time among those who are open now. Runtimes that
        run several at once know better themselves; containers beside us tell nothing."""
        if not self._alone and not self._is_image:
            return
        total = self._usage.cpu_of_others()
        if total is not None and self._charged is not None:
            for run in self._runs.values():
                run.cpu += max(0.0, total - self._charged) / len(self._runs)
        self._charged = total

    def _stop(self, run: str, why: str, error: dict[str, Any]) -> None:
        """End a run from outside: the worker goes as soon as nobody else is in it."""
        self._host.flush()
        self._abandoned.add(run)
        self._retired = True
        self._answer(run, {"error": error}, {}, why)

    def _answer(
        self, run: str, answer: dict[str, Any], usage: dict[str, Any], retire: str | None
    ) -> None:
        self._charge()
        if self._charged is not None and (self._alone or "cpu" not in usage):
            usage["cpu"] = round(self._runs[run].cpu, 6)
        peak = self._usage.memory_peak()
        if peak is not None:
            usage["memory_peak"] = peak
        self._close_run(run)
        if retire is None and not self._runs and self._host.leaked():
            retire, self._retired = "leaked", True
        message = {"op": "result", "id": run, **answer, "usage": usage}
        if retire is not None:
            message["retire"] = retire
        self._tell(message)
        if self._retired and not self._runs:
            self._host.kill("retired")

    def _close_run(self, run: str) -> None:
        """Its output up to here is its own; what comes while no run is open waits for the next."""
        done = self._runs.pop(run)
        done.timer.cancel()
        done.log.end()
        if not self._runs:
            self._host.listen(False)
            self._metadata.refuse_all()

    # -- the metadata service ------------------------------------------------------------

    def _ask(self, message: dict[str, Any]) -> bool:
        """A request of the function; the conductor reads it only while a run is open."""
        if self._stream is None or not self._runs:
            return False
        self._stream.send(message)
        return True

    def _learn(self, message: dict[str, Any], body: bytes) -> None:
        self._metadata.answer(message)

    # -- what the host tells -----------------------------------------------------------

    def ready(self, message: Mapping[str, Any]) -> None:
        if self._ready is not None or _LOAD not in self._runs:
            raise ValueError("ready")
        self._close_run(_LOAD)
        self._ready = {"op": "ready"}
        if message.get("error") is not None:
            self._ready["error"] = message["error"]
        self._tell(self._ready)

    def log(self, run: str, stream: str, text: str) -> None:
        if run in self._runs:
            self._tell({"op": "log", "id": run, "stream": stream, "text": text})

    def output(self, stream: str, data: bytes) -> None:
        for run in self._runs.values():
            run.log.add(stream, data)
            return

    def result(self, message: dict[str, Any]) -> None:
        run = message["id"]
        if run in self._abandoned:
            self._abandoned.discard(run)
            return
        if run not in self._runs or run == _LOAD:
            raise ValueError(run)
        told = message.get("usage")
        usage = dict(told) if isinstance(told, dict) else {}
        names = [name for name in ("error", "value") if name in message]
        self._answer(run, {name: message[name] for name in names}, usage, None)

    def ended(self, report: dict[str, Any]) -> None:
        self._state = "ended"
        for run in list(self._runs):
            self._close_run(run)
        self._tell({"op": "ended", **report})
        if self._leaving:
            self._loop.running = False


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": kind, "message": message, "trace": []}
