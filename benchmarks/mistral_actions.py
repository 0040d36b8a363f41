"""A workflow of ten functions, by our actions and by Mistral's own HTTP action.

``python -m benchmarks.mistral_actions [COUNT]``: COUNT workflows one after the other, and then by
four clients, of each kind. All call the same function of the same embedded funcflow.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterator

from benchmarks import embedded, measure
from benchmarks.peers import mistral_peer
from tools.services import mistral, postgres, process, rabbitmq

TASKS = 10
CLIENTS = 4
ACTIONS = {
    "funcflow.invoke": "action: funcflow.invoke\n      input: {{function: echo}}",
    "funcflow.invoke_sync": "action: funcflow.invoke_sync\n      input: {{function: echo}}",
    "std.http": "action: std.http\n      input:\n        url: {url}/v1/executions\n"
    "        method: POST\n        headers: {{Content-Type: application/json}}\n"
    "        body: {{function_id: echo}}",
}


def chain(name: str, action: str, url: str) -> str:
    """A workflow of tasks one after the other, all with the same action."""
    lines = ["version: '2.0'", f"{name}:", "  tasks:"]
    for number in range(TASKS):
        lines += [f"    t{number}:", "      " + action.format(url=url)]
        if number < TASKS - 1:
            lines.append(f"      on-success: t{number + 1}")
    return "\n".join(lines)


@contextlib.contextmanager
def stage() -> Iterator[tuple[mistral_peer.Peer, str, list[int]]]:
    """Mistral with our actions and funcflow; the latter's address, and all processes."""
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        broker = rabbitmq.Broker(folder / "rabbitmq")
        database = postgres.Server(folder / "postgres", durable=True)
        for server in (broker, database):
            stack.callback(server.stop)
            server.start()
        url = stack.enter_context(database.database())
        port = process.free_port()
        ours = stack.enter_context(
            embedded.embedded(f"[mistral]\nurl = http://{process.HOST}:{port}\n")
        )
        embedded.deploy(ours.url, source="def main():\n    return 1\n")
        settings = {"funcflow": {"url": ours.url}, "action_std_http": {"denied_cidrs": ""}}
        actions = mistral.wheel(folder)
        engine = mistral.Server(
            folder / "mistral", broker.url, url, actions=actions, settings=settings, port=port
        )
        stack.callback(engine.stop)
        engine.start()
        pids = [each.pid for each in (broker, database, engine) if each.pid]
        yield mistral_peer.Peer(engine, pids), ours.url, [os.getpid(), ours.pid, *pids]


def _once(it: mistral_peer.Peer, name: str, _: int) -> None:
    it.run(name)


def main(count: int = 10) -> list[measure.Figures]:
    """p50 and p99 of a whole workflow; rate and processor time of a task."""
    rows = []
    with stage() as (it, url, pids):
        for number, (kind, action) in enumerate(ACTIONS.items()):
            name = f"chain{number}"
            it.define(chain(name, action, url))
            it.run(name)
            for clients in (1, CLIENTS):
                with measure.Stopwatch(pids) as watch:
                    once = functools.partial(_once, it, name)
                    times = measure.closed_loop(once, count * clients, clients)
                title = f"{TASKS} {kind} x{clients}"
                rows.append(mistral_peer.row(title, TASKS, times, watch))
    return rows


if __name__ == "__main__":
    print(measure.table("Workflows of Mistral", main(*map(int, sys.argv[1:]))))
