"""Mistral with RabbitMQ and PostgreSQL: workflows of tasks that do nothing.

``python -m benchmarks.peers.mistral_peer`` prints its figures. Its tasks run no function, which
favours the peer. Like funcflow it keeps every step in a database that syncs to disk.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks import measure
from tools.services import mistral, postgres, process, rabbitmq

STEPS = 20
ITEMS = 100


def chain() -> str:
    """A workflow of tasks one after the other."""
    lines = ["version: '2.0'", "chain:", "  tasks:"]
    for number in range(STEPS):
        lines += [f"    t{number}:", "      action: std.noop"]
        if number < STEPS - 1:
            lines.append(f"      on-success: t{number + 1}")
    return "\n".join(lines)


def wide() -> str:
    """A workflow that does one task for each item."""
    return (
        "version: '2.0'\nwide:\n  input: [items]\n  tasks:\n    each:\n"
        "      with-items: i in <% $.items %>\n      action: std.echo output=<% $.i %>\n"
    )


class Peer:
    def __init__(self, server: mistral.Server, pids: list[int]) -> None:
        self._server, self.pids = server, pids

    def define(self, text: str) -> None:
        self._ask("POST", "/v2/workflows", text, "text/plain")

    def run(self, workflow: str, **input: Any) -> None:
        """One execution to its end."""
        body = {"workflow_name": workflow, "input": json.dumps(input)}
        begun = self._ask("POST", "/v2/executions", json.dumps(body))
        while True:
            found = self._ask("GET", f"/v2/executions/{begun['id']}?fields=state")
            if found["state"] == "SUCCESS":
                return
            if found["state"] != "RUNNING":
                whole = self._ask("GET", f"/v2/executions/{begun['id']}")
                raise process.ServiceError(f"{workflow}: {whole}")
            time.sleep(0.02)

    def _ask(self, method: str, path: str, body: str = "", kind: str = "application/json") -> Any:
        connection = http.client.HTTPConnection(process.HOST, self._server.port, timeout=60)
        try:
            connection.request(method, path, body or None, {"Content-Type": kind})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 400:
            raise process.ServiceError(f"{method} {path}: {answer.status} {text[:500]}")
        return json.loads(text)


@contextlib.contextmanager
def peer() -> Iterator[Peer]:
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        broker = rabbitmq.Broker(folder / "rabbitmq")
        database = postgres.Server(folder / "postgres", durable=True)
        for server in (broker, database):
            stack.callback(server.stop)
            server.start()
        url = stack.enter_context(database.database())
        engine = mistral.Server(folder / "mistral", broker.url, url)
        stack.callback(engine.stop)
        engine.start()
        yield Peer(engine, [each.pid for each in (broker, database, engine) if each.pid])


def main(count: int = 10) -> list[measure.Figures]:
    """Chains by one client and by several, and one wide workflow; rates are of tasks.

    :raises tools.environments.Missing: it cannot be installed here
    """
    with peer() as it:
        it.define(chain())
        it.define(wide())
        it.run("chain")
        rows = []
        for clients in (1, 8):
            with measure.Stopwatch([os.getpid(), *it.pids]) as watch:
                times = measure.closed_loop(lambda _: it.run("chain"), count * clients, clients)
            rows.append(row(f"Mistral, {STEPS} std.noop x{clients}", STEPS, times, watch))
        with measure.Stopwatch([os.getpid(), *it.pids]) as watch:
            times = measure.closed_loop(lambda _: it.run("wide", items=[*range(ITEMS)]), 2, 1)
        rows.append(row(f"Mistral, with-items over {ITEMS}", ITEMS, times, watch))
    return rows


def row(name: str, steps: int, times: list[float], watch: measure.Stopwatch) -> measure.Figures:
    """p50 and p99 of a whole run; rate and processor time of a task."""
    done = steps * len(times)
    return measure.Figures(
        name=name,
        rate=done / watch.seconds,
        p50=measure.percentile(times, 50),
        p99=measure.percentile(times, 99),
        cpu=watch.cpu / done,
    )


if __name__ == "__main__":
    print(measure.table("Mistral", main(*map(int, sys.argv[1:]))))
