"""Coroutine functions: one event loop per worker.

Called by :mod:`.serve`.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from .frames import Connection
from .serve import Runner


def serve(connection: Connection, runner: Runner) -> None:
    """Run calls until the host goes away."""
    if runner.concurrency == 1:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        while (message := connection.read()) is not None:
            if message.get("op") == "invoke":
                loop.run_until_complete(runner.run_async(message))
    else:
        asyncio.run(_serve_tasks(connection, runner))


async def _serve_tasks(connection: Connection, runner: Runner) -> None:
    running: set[asyncio.Task[Any]] = set()
    loop = asyncio.get_running_loop()
    ended = loop.create_future()

    def readable() -> None:
        # A frame that has begun to arrive is read to its end; the host sends it at once.
        message = connection.read()
        while message is not None:
            if message.get("op") == "invoke":
                task = loop.create_task(runner.run_async(message))
                running.add(task)
                task.add_done_callback(running.discard)
            if not connection.pending():
                return
            message = connection.read()
        if not ended.done():
            ended.set_result(None)

    loop.add_reader(connection.sock, readable)
    await ended
    os._exit(0)
