"""What keeping packages costs: the store in Swift beside plain requests to the same Swift, and
the store in a folder.

    python -m benchmarks.stores [--count 20] [--sizes 1,50]

Swift and Keystone are real and on this machine. *open* fetches and checks (no copy is here);
*again* reads the copy. Processor time is this process's own; what Swift takes is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import requests

from benchmarks import measure
from funcflow import conf as config
from funcflow.stores.base import Store
from funcflow.stores.filesystem import FilesystemStore
from funcflow.stores.swift import SwiftStore
from tests import objects
from tools.services import identities, keystone, process, swift

MIB = 1024 * 1024
PIECE = 64 * 1024
LEAST = 5


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stores", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="operations of 1 MiB")
    parser.add_argument("--sizes", default="1,50", help="MiB of a package")
    chosen = parser.parse_args(arguments)
    with services() as (cloud, server), tempfile.TemporaryDirectory() as folder:
        person = objects.Person.make(cloud, server)
        conf = objects.settings(server, Path(folder))
        plain = config.load(default={"data_dir": folder})
        for size in (int(text) for text in chosen.sizes.split(",")):
            count = max(LEAST, chosen.count // size)
            rows = [
                *raw(person, size * MIB, count),
                *of_store("swift store", SwiftStore(conf), size * MIB, count),
                *of_store("filesystem store", FilesystemStore(plain), size * MIB, count),
            ]
            print(measure.table(f"Packages of {size} MiB, {count} of each", rows), flush=True)


@contextlib.contextmanager
def services() -> Iterator[tuple[identities.Cloud, swift.Server]]:
    with process.workspace() as folder, contextlib.ExitStack() as stack:
        login = keystone.Server(folder / "keystone")
        stack.callback(login.stop)
        login.start()
        server = swift.Server(folder / "swift", login.url)
        stack.callback(server.stop)
        server.start()
        yield stack.enter_context(identities.Cloud(login.url)), server


def raw(person: objects.Person, size: int, count: int) -> list[measure.Figures]:
    """Requests on one connection, with nothing checked."""
    data = [os.urandom(size) for _ in range(count)]
    person.put("bench")
    with requests.Session() as session:
        session.headers["X-Auth-Token"] = person.token
        urls = [f"{person.url}/bench/{number}" for number in range(count)]
        waiting = iter(zip(urls, data, strict=True))

        def put() -> None:
            url, body = next(waiting)
            session.put(url, data=body, timeout=60).raise_for_status()

        reading = iter(urls)

        def get() -> None:
            with session.get(next(reading), timeout=60, stream=True) as answer:
                answer.raise_for_status()
                while answer.raw.read(PIECE):
                    pass

        return [timed("plain requests, put", put, count), timed("plain requests, get", get, count)]


def of_store(name: str, store: Store, size: int, count: int) -> list[measure.Figures]:
    data = [os.urandom(size) for _ in range(count)]
    waiting = iter(data)
    digests: list[str] = []

    def put() -> None:
        body = next(waiting)
        pieces = (body[at : at + PIECE] for at in range(0, size, PIECE))
        digests.append(store.put(pieces))

    rows = [timed(f"{name}, put", put, count)]
    for word in ("open", "again"):
        reading = iter(digests)

        def get(reading: Iterator[str] = reading) -> None:
            with store.open(next(reading)) as file:
                while file.read(PIECE):
                    pass

        rows.append(timed(f"{name}, {word}", get, count))
    return rows


def timed(name: str, work: Callable[[], None], count: int) -> measure.Figures:
    latencies, began, cpu = [], time.perf_counter(), time.process_time()
    for _ in range(count):
        start = time.perf_counter()
        work()
        latencies.append(time.perf_counter() - start)
    spent = time.process_time() - cpu
    return measure.figures(name, latencies, time.perf_counter() - began, spent)


if __name__ == "__main__":
    main()
