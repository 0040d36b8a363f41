"""Compositions through the whole service: one API, one conductor, durable stores.

``python -m benchmarks.compositions_service [PART…]``; the parts are :data:`PARTS`. A step is one
state entered. Processor time is that of every process that takes part, the load's too.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from benchmarks import embedded, measure, spread
from benchmarks import http as load
from benchmarks import workloads as w
from benchmarks.peers import mistral_peer
from tools import cluster, environments
from tools.services import process

CLIENTS = 16
SOURCE = "def main(**given):\n    return {'done': True}\n"
SLOW = "import time\ndef main(**given):\n    time.sleep(800)\n"
#: Wait states of this many seconds are parked.
PARKED = 8
LONG = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10**6, "End": True}}}


class Service:
    """A running cluster with the functions that the compositions call."""

    def __init__(self, place: spread.Spread) -> None:
        self.url, self.pids = place.url, place.pids
        self.database_url = place.cluster.database_url
        (self.conductor,) = (part.pid for part in place.cluster.conductors)
        embedded.deploy(self.url, "work", SOURCE, concurrency=10)
        embedded.deploy(self.url, "slow", SLOW, timeout=900)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = cluster.request(self.url, method, path, body)
        if status >= 400:
            raise process.ServiceError(f"{method} {path}: {status} {answer}")
        return answer

    def compose(self, definition: Any, type_: str = "STANDARD") -> Composition:
        name = f"c{next(_NUMBERS)}"
        body = {"name": name, "definition": definition, "type": type_}
        return Composition(self, self.ask("POST", "/v1/compositions", body)["id"])


_NUMBERS = itertools.count()


class Composition:
    def __init__(self, service: Service, id: str) -> None:
        self._service = service
        self.path = f"/v1/compositions/{id}/executions"

    def start(self, input: Any, sync: bool = False) -> Any:
        return self._service.ask("POST", self.path, {"input": input, "sync": sync})

    def show(self, execution: str) -> Any:
        return self._service.ask("GET", f"{self.path}/{execution}")

    def stop(self, execution: str) -> Any:
        return self._service.ask("POST", f"{self.path}/{execution}/stop", {})

    def history(self, execution: str) -> Any:
        return self._service.ask("GET", f"{self.path}/{execution}/history?limit=1000")["events"]

    def many(self, input: Any, count: int, clients: int, sync: bool) -> list[float]:
        """Seconds that each start took, from a process of its own."""
        url = f"{self._service.url}{self.path}"
        return load.post(url, count, clients, {"input": input, "sync": sync})

    def wait(self, execution: str, status: str, every: float = 0.005) -> Any:
        """The execution, once it has this status; looks ``every`` so many seconds."""
        while (found := self.show(execution))["status"] != status:
            if found["status"] != "RUNNING":
                raise process.ServiceError(f"{found}"[:2000])
            time.sleep(every)
        return found


def runs(service: Service, name: str, made: Composition, steps: int, count: int) -> list[Any]:
    """Synchronous runs by one client and by many; the rate is in steps."""
    made.many(w.SMALL, max(20, count // 10), CLIENTS, sync=True)
    rows = []
    for clients, number in ((1, count // 4), (CLIENTS, count)):
        with measure.Stopwatch([os.getpid(), *service.pids]) as watch:
            times = made.many(w.SMALL, number, clients, sync=True)
        rows.append(
            measure.Figures(
                name=f"{name} x{clients}",
                rate=number * steps / (sum(times) / clients),
                p50=measure.percentile(times, 50),
                p99=measure.percentile(times, 99),
                cpu=watch.cpu / (number * steps),
            )
        )
    last = made.start(w.SMALL, sync=True)
    if last["status"] != "SUCCEEDED":
        raise process.ServiceError(f"{last}")
    return rows


def steps(service: Service, count: int) -> str:
    """Chains of both types, and Mistral's; p50 and p99 of a whole run."""
    rows = []
    for type_ in ("EXPRESS", "STANDARD"):
        chains = {"100 Pass": (w.chain(100, w.passing), 100), "20 tasks": (w.chain(20, w.kept), 20)}
        for name, (definition, entered) in chains.items():
            made = service.compose(definition, type_)
            rows += runs(service, f"{type_}, {name}", made, entered, count)
    note, tasks = "", rows[-1]
    try:
        rows += mistral_peer.main(max(1, count // 100))
    except environments.Missing as error:
        note = f"Mistral is not here: {error}\n"
    title = "Chains, synchronous (p50, p99 of a run; the rest of a step)"
    return measure.table(title, rows, tasks) + note


def added(service: Service, count: int) -> str:
    """From one Task state's entry to the next one's, by the history; the function does nothing."""
    made = service.compose(w.chain(20, w.kept))
    gaps: list[float] = []
    for _ in range(count // 5):
        execution = made.start(w.SMALL, sync=True)
        times = [
            moment(event["timestamp"])
            for event in made.history(execution["id"])
            if event["type"] == "TaskStateEntered"
        ]
        gaps += [later - earlier for earlier, later in itertools.pairwise(times)]
    p50, p99 = (measure.percentile(gaps, percent) * 1000 for percent in (50, 99))
    return f"one Task step of a STANDARD execution: p50 {p50:.2f} ms, p99 {p99:.2f} ms\n"


def moment(text: Any) -> float:
    if isinstance(text, int | float):
        return float(text)
    return datetime.datetime.fromisoformat(text).timestamp()


@contextmanager
def peak_memory(pid: int | None) -> Iterator[Callable[[], tuple[int, int]]]:
    """Bytes of a process and all it started: at the beginning, and the most since."""
    pids = [pid] if pid else []
    first = most = measure.memory(pids)
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.25):
            most = max(most, measure.memory(pids))

    thread = threading.Thread(target=watch, name="memory")
    thread.start()
    try:
        yield lambda: (first, most)
    finally:
        over.set()
        thread.join()


def over_items(function: str, **processor: Any) -> dict[str, Any]:
    """A Map; functions take objects."""
    definition = w.mapped(**processor)
    state = definition["States"]["M"]
    state["ItemSelector"] = {"n.$": "$$.Map.Item.Value"}
    state["ItemProcessor"]["States"]["Work"]["Resource"] = function
    return definition


def mapped(service: Service, count: int) -> str:
    """A function for each of 10,000 items, and of a tenth of that, each item a child."""
    lines = []
    for type_ in ("EXPRESS", "STANDARD"):
        config = {"Mode": "DISTRIBUTED", "ExecutionType": type_}
        made = service.compose(over_items("work", ProcessorConfig=config))
        for items in (count, count * 10):
            watch = measure.Stopwatch([os.getpid(), *service.pids])
            with peak_memory(service.conductor) as memory, watch:
                execution = made.start({"items": list(range(items))})
                ended = made.wait(execution["id"], "SUCCEEDED", every=0.25)
            if len(ended["output"]) != items:
                raise process.ServiceError(f"{len(ended['output'])} results of {items}")
            first, most = memory()
            lines.append(
                f"Map over {items:,} function items, {type_} children: "
                f"{items / watch.seconds:,.0f} items/s, CPU {watch.cpu / items * 1000:.2f} ms "
                f"an item, conductor {first >> 20} MB before, {most >> 20} MB at most"
            )
    return "\n".join([*lines, ""])


def waiting(service: Service, count: int) -> str:
    """Many executions that wait: what they cost, and how late others are woken meanwhile."""
    made = service.compose(LONG)
    with measure.Stopwatch([os.getpid(), *service.pids]) as watch:
        times = made.many(w.SMALL, count, CLIENTS, sync=False)
        wait_parked(service, count)
    rate = count / watch.seconds
    lines = [f"{count:,} executions started and parked at {rate:,.0f}/s"]
    lines[0] += f", answered p50 {measure.percentile(times, 50) * 1000:.1f} ms"
    time.sleep(5)
    with measure.Stopwatch(service.pids) as watch:
        time.sleep(20)
    lines.append(f"waiting, all processes together: {watch.cpu / watch.seconds:.1%} of a core")
    late = lateness(service, 200)
    p50, p99 = (measure.percentile(late, percent) * 1000 for percent in (50, 99))
    lines.append(f"200 waits meanwhile: {p50:.0f} ms late at p50, {p99:.0f} ms at p99")
    return "\n".join([*lines, ""])


def wait_parked(service: Service, count: int) -> None:
    """Until so many executions are in nobody's memory."""
    url = service.database_url.replace("postgresql+psycopg", "postgresql")
    parked = "SELECT count(*) FROM composition_executions WHERE state = 'waiting'"
    with psycopg.connect(url, autocommit=True) as connection:
        while (found := connection.execute(parked).fetchone()) and found[0] < count:
            time.sleep(0.2)


def lateness(service: Service, count: int) -> list[float]:
    """How much longer than asked for Wait states took, by the history."""
    state = {"Type": "Wait", "Seconds": PARKED, "End": True}
    made = service.compose({"StartAt": "W", "States": {"W": state}})
    begun = [made.start({})["id"] for _ in range(count)]
    late = []
    for execution in begun:
        made.wait(execution, "SUCCEEDED", every=0.05)
        times = {each["type"]: moment(each["timestamp"]) for each in made.history(execution)}
        late.append(times["WaitStateExited"] - times["WaitStateEntered"] - PARKED)
    return late


def cancel(service: Service, count: int) -> str:
    """From the request to stop until the execution has ended, whatever it does just then."""
    slow = w.task(0) | {"Resource": "slow"}
    doing = {
        "waiting (parked)": LONG,
        "running a function": w.chain(1, lambda _: slow),
        "running 40 functions of a Map": over_items("slow"),
    }
    rows = []
    for name, definition in doing.items():
        made = service.compose(definition)
        times = []
        with measure.Stopwatch([os.getpid(), *service.pids]) as watch:
            for _ in range(max(5, count // 20)):
                execution = made.start(w.INPUT)["id"]
                time.sleep(0.3)
                began = time.perf_counter()
                made.stop(execution)
                made.wait(execution, "ABORTED")
                times.append(time.perf_counter() - began)
        rows.append(measure.figures(f"stop while {name}", times, sum(times), watch.cpu))
    return measure.table("Cancelling", rows)


PARTS: dict[str, tuple[Callable[[Service, int], str], int]] = {
    "steps": (steps, 400),
    "added": (added, 200),
    "mapped": (mapped, 1000),
    "waiting": (waiting, 10_000),
    "cancel": (cancel, 400),
}


def run(parts: Sequence[str] = (), count: int | None = None) -> Iterator[str]:
    """A table or some lines for each part, each part on a service of its own."""
    for name in parts or PARTS:
        part, usual = PARTS[name]
        with spread.spread() as place:
            yield part(Service(place), count or usual)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=", ".join(PARTS))
    parser.add_argument("--count", type=int, help="runs, items or executions of each part")
    arguments = parser.parse_args()
    for text in run(arguments.parts, arguments.count):
        print(text, flush=True)


if __name__ == "__main__":
    main()
