"""The Celery application both sides load: what its workers run and how durably.

Acknowledged after the run, durable queues, persistent messages, confirmed by the broker. Set up by
the environment, because Celery imports this module in a process of its own:
``PEER_BROKER``, ``PEER_RESULTS`` (result backend), ``PEER_NOTES`` (file for times).
"""

from __future__ import annotations

import os
import struct
import time
from typing import Any

import celery

from benchmarks import function

#: Number, begin and end of a run, as they stand in the file of times.
NOTE = struct.Struct("=qdd")

app = celery.Celery(
    "peer", broker=os.environ.get("PEER_BROKER"), backend=os.environ.get("PEER_RESULTS")
)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_default_delivery_mode="persistent",
    broker_transport_options={"confirm_publish": True},
    broker_pool_limit=32,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
)
_notes: int | None = None


@app.task(name="peer.run")  # type: ignore[untyped-decorator]
def run(number: int) -> dict[str, Any]:
    """Runs the function and notes the time in one append, which no other process can split."""
    global _notes
    if _notes is None:
        _notes = os.open(os.environ["PEER_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    begin = time.perf_counter()
    result = function.main(number=number)
    os.write(_notes, NOTE.pack(number, begin, time.perf_counter()))
    return result
