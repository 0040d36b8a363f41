"""What is written down of firings: new ones, and those that came to nothing.

Used by :mod:`funcflow.firing`.
"""

from __future__ import annotations

import dataclasses

from oslo_log import log as logging

from funcflow import criteria, ids
from funcflow.events import Event, Firing, Trigger, child_trace

LOG = logging.getLogger(__name__)


def made(trigger: Trigger, event: Event, key: str, now: float) -> Firing:
    return Firing(
        id=ids.new(),
        trigger_id=trigger.id,
        project_id=trigger.project_id,
        key=key,
        event_id=event.id,
        event_source=event.source,
        event_type=event.type,
        outcome="fired",
        depth=event.depth + 1,
        traceparent=child_trace(event.traceparent),
        created_at=now,
        updated_at=now,
    )


def failed(
    trigger: Trigger,
    firing: Firing,
    reason: str,
    event: Event,
    *,
    forever: bool = False,
    counts: bool = True,
) -> Firing:
    """With when to try again, or dead when that was the last attempt that ``counts``."""
    tried = firing.attempts + (counts and firing.outcome == "retrying")
    kept = dataclasses.replace(firing, attempts=tried, reason=reason[:1000], event=event.text())
    if forever or (counts and tried >= trigger.retry.attempts):
        LOG.warning("Trigger %s gives up on an event: %s", trigger.id, reason)
        return dataclasses.replace(kept, outcome="dead", retry_at=None)
    pause = min(3600.0, trigger.retry.interval * 2 ** min(tried - 1, 20))
    return dataclasses.replace(kept, outcome="retrying", retry_at=firing.updated_at + pause)


def why(verdicts: list[criteria.Verdict]) -> str:
    no = next(verdict for verdict in verdicts if not verdict.matched)
    return f"{no.criterion[:300]}: {no.problem or 'no'}"[:1000]
