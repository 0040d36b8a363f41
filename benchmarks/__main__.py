"""``make bench``: funcflow beside its peers and the physical limit, in one run.

Peers: the same worker called directly (the limit), TaskFlow's stock board and conductor on
the same kind of ZooKeeper, Celery with RabbitMQ; other interpreters of the Amazon States
Language and Mistral, put into folders of their own on the first run. All stores sync to disk.
The processor time of every process that takes part is counted, the load generator's too.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks import compositions as interpreter
from benchmarks import compositions_service, direct, embedded, measure, mistral_actions, spread
from benchmarks.peers import celery_peer, stock_taskflow
from tools import environments

PARTS = ("calls", "cold", "backlog", "compositions", "workflows")


def say(text: str) -> None:
    print(text, flush=True)


def calls(count: int) -> None:
    """Warm calls, synchronous and asynchronous, beside the peers."""
    say(embedded.idle() + "\n")
    floor = direct.warm(count)
    rows = [floor, *embedded.warm(count)]
    with spread.spread() as it:
        embedded.deploy(it.url)
        rows += spread.warm(it, count)
        queued = spread.asynchronous(it, count * 2)
    stock = stock_taskflow.main(max(60, count // 10))
    celery = celery_peer.main(max(100, count))
    say(measure.table("Synchronous calls", [*rows, *find(celery, "sync")], floor))
    for row in rows[1:]:
        if row.p50 is not None and floor.p50 is not None and row.name.endswith("x1"):
            say(f"{row.name}: {(row.p50 - floor.p50) * 1e3:.2f} ms added to the direct call at p50")
    say("")
    drained = find(stock, "drain")[0]
    others = [*stock, *find(celery, "accept"), *find(celery, "drain"), *find(celery, "post")]
    say(measure.table("Asynchronous calls", [*queued, *others], drained))


def find(rows: list[measure.Figures], word: str) -> list[measure.Figures]:
    return [row for row in rows if word in row.name]


def cold(count: int) -> None:
    """Cold starts of a Python function."""
    rows, note = embedded.cold(max(20, count // 10))
    say(measure.table("Cold starts (Python)", rows))
    say(note + "\n")


def backlog(count: int) -> None:
    """What a job costs when many wait."""
    sizes = [size for size in (100, 1_000, 10_000, 100_000) if size <= count * 50]
    rows = spread.backlog(sizes)
    say(measure.table("Backlogs: accepted without a conductor, then drained by one", rows))


def compositions(_: int) -> None:
    """The interpreter of compositions, alone and beside others of the same language; then
    compositions through the service, beside Mistral."""
    say(interpreter.alone(1.0))
    say(interpreter.beside_peers(3.0))
    for text in compositions_service.run():
        say(text)


def workflows(count: int) -> None:
    """Workflows of Mistral whose tasks are functions, by our actions and by its own."""
    try:
        rows = mistral_actions.main(max(3, count // 200))
    except environments.Missing as error:
        say(f"Mistral is not here: {error}\n")
    else:
        say(measure.table("Workflows of Mistral", rows, rows[-2]))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--count", type=int, default=2000, help="calls per measurement")
    arguments = parser.parse_args()
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    began = time.monotonic()
    for part in PARTS:
        if part in (arguments.parts or PARTS):
            say(f"== {part}")
            globals()[part](arguments.count)
    say(f"took {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
