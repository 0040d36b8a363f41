"""``make run``: funcflow's main job, before your eyes.

Starts an embedded server, deploys two functions and runs each on a real text file, has a
composition of others take an order and undo another one, shows what came out, and keeps serving
until Ctrl-C.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import shutil
import signal
import sys
import threading
import time
from pathlib import Path

from funcflow import errors
from funcflow.cli import client, faults, following, transport
from funcflow.cmd import up

ROOT = Path(__file__).resolve().parent.parent
TEXT = ROOT / "LICENSE"


@dataclasses.dataclass(frozen=True)
class Example:
    name: str
    runtime: str
    file: Path
    entry: str
    needs: str | None = None


COMPOSITION = "order-saga"
SAGA = ROOT / "examples/compositions/order-saga"
ORDERS = (
    {"item": "lamp", "count": 2, "card": "good", "address": "1 High Street"},
    {"item": "lamp", "count": 2, "card": "good", "address": ""},
)
EXAMPLES = (
    Example("wordcount", "python3", ROOT / "examples/wordcount/main.py", "main.main"),
    Example("readability", "nodejs", ROOT / "examples/readability/index.js", "index.main", "node"),
)


def say(text: str = "") -> None:
    print(text, flush=True)


def function(path: Path) -> Example:
    """The Python module as an example, called like its file."""
    return Example(path.stem, "python3", path, f"{path.stem}.handler")


def compose(api: client.Client) -> None:
    """Keep the composition and its functions, unless an earlier run did."""
    for path in sorted(SAGA.glob("functions/*.py")):
        deploy(api, function(path))
    for found in api.compositions.list(name=f"eq:{COMPOSITION}"):
        say(f"  {COMPOSITION} is there already (id {found['id']})")
        return
    file = SAGA / "saga.yaml"
    made = api.compositions.create({"name": COMPOSITION, "definition": file.read_text()})
    say(f"  created {COMPOSITION} from {file.relative_to(ROOT)} (id {made['id']})")


def order(api: client.Client, url: str, what: dict[str, object]) -> None:
    """Run the composition and show its states as they go."""
    begun = api.compositions.start(COMPOSITION, {"input": what})
    say(f"  {COMPOSITION}({json.dumps(what)})")
    follower = following.Follower(lambda text: say(f"    {text.rstrip()}"))
    for told in api.composition_executions.follow(begun["id"]):
        if "type" in told:
            follower.event("", following.read(told))
    ended = api.composition_executions.get(begun["id"])
    said = json.dumps(ended["output"]) if ended["status"] == "SUCCEEDED" else ended["error"]
    say(f"    {ended['status']} {said}")
    say(f"    picture  {url}/v1/compositions/-/executions/{begun['id']}/drawing")
    say(f"    timeline {url}/v1/compositions/-/executions/{begun['id']}/timeline")


def deploy(api: client.Client, example: Example) -> None:
    """Create the function unless an earlier run did."""
    for found in api.functions.list(name=f"eq:{example.name}"):
        say(f"  {example.name} is there already (id {found['id']})")
        return
    made = api.functions.create(
        {
            "name": example.name,
            "runtime": example.runtime,
            "source": example.file.read_text(),
            "entry": example.entry,
        }
    )
    say(f"  created {example.name} from {example.file.relative_to(ROOT)} (id {made['id']})")


def run(api: client.Client, example: Example) -> None:
    """Run the function on the text and show everything about it."""
    started = time.monotonic()
    execution = api.executions.submit(
        {"function_id": example.name, "input": {"text": TEXT.read_text()}}
    )
    took = time.monotonic() - started
    usage = execution["usage"]
    output = json.loads(execution["result"])["output"]
    say(f"  {example.name}({TEXT.name}) -> {execution['status']}")
    say(f"    result   {json.dumps(output)}")
    say(
        f"    duration {took * 1e3:.1f} ms in all: start-up {usage['startup'] * 1e3:.1f} ms"
        f" ({'cold' if usage['cold'] else 'warm'}), run {usage['run'] * 1e3:.1f} ms,"
        f" cpu {usage['cpu'] * 1e3:.1f} ms, memory {usage['memory_peak'] / 2**20:.0f} MiB"
    )
    for line in "".join(api.executions.log(execution["id"])).splitlines():
        say(f"    log      {line}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=7070)
    parser.add_argument("--data-dir", default=str(ROOT / ".funcflow"))
    parser.add_argument("--once", action="store_true", help="do not keep serving")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    began = time.monotonic()
    say("funcflow starts (SQLite, embedded board, local sandboxes)")
    try:
        server = up.Server(
            up.load(
                up.Options(host=arguments.host, port=arguments.port, data_dir=arguments.data_dir)
            )
        )
    except errors.FuncflowError as exc:
        sys.stderr.write(f"{exc.message}\n  {exc.hint}\n")
        return 1
    say(
        f"  serves on {server.url} after {time.monotonic() - began:.2f} s; data in"
        f" {arguments.data_dir}"
    )
    status = 0
    try:
        status = show(server.url)
        if not arguments.once:
            say()
            say(f"Serving on {server.url}. In another terminal:")
            say("  .venv/bin/funcflow function list")
            say(
                """  .venv/bin/funcflow invoke wordcount --input '{"text": "to be or not to be"}'"""
            )
            say("  .venv/bin/funcflow composition execution list")
            say("Ctrl-C ends it.")
            stop.wait()
            say("funcflow drains and ends")
    finally:
        server.stop()
    return status


def show(url: str) -> int:
    """Deploy and run the examples; 1 when one of them failed."""
    api = client.Client(transport.DirectTransport(url))
    try:
        for example in EXAMPLES:
            if example.needs and not shutil.which(example.needs):
                say(f"  {example.name} is left out: there is no {example.needs} on this machine")
                continue
            say()
            deploy(api, example)
            run(api, example)
        say()
        compose(api)
        for what in ORDERS:
            order(api, url, what)
    except faults.ClientError as exc:
        say(f"  failed: {exc}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
