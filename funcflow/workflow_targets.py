"""Workflows of Mistral that triggers start.

Used by :mod:`funcflow.firing`. The id of the execution follows from trigger and event, so that an
event that is delivered again finds the one it started.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from typing import Final

from funcflow import ids, workflows
from funcflow.compositions import failures
from funcflow.compositions.failures import Failure
from funcflow.events import Firing, Trigger
from funcflow.models.workflows import ENV, Wanted

#: Seconds that Mistral's clock may be behind ours: what it made so long ago at least may be an
#: earlier execution with the same key, what is younger is this one.
_SKEW: Final = 300.0


@dataclasses.dataclass(frozen=True, slots=True)
class Begun:
    """An execution that Mistral started, now or before."""

    id: str
    created_at: float


def start(
    mistral: workflows.Workflows,
    trigger: Trigger,
    firing: Firing,
    input: str,
    key: str,
    lend: Callable[[bool], workflows.Lent],
) -> Begun:
    """Start the trigger's workflow, or find that it was.

    :param input: JSON text
    :param lend: as of :func:`funcflow.workflows.with_token`
    :raises Failure: the input is no object, and workflows take nothing else
    :raises workflows.Refused: it cannot be started like this
    :raises workflows.Away: who knows whether it was; ask again
    """
    given = json.loads(input)
    if not isinstance(given, dict):
        raise Failure(failures.RUNTIME, "the input of a workflow must be an object")
    told = {
        "trigger_id": trigger.id,
        "event_id": firing.event_id,
        "event_source": firing.event_source,
        "event_type": firing.event_type,
        "traceparent": firing.traceparent,
        "depth": firing.depth,
    }
    wanted = Wanted(
        workflow=trigger.target.id,
        input=given,
        env={ENV: told},
        description=f"Created by trigger {trigger.id}",
    )
    run_id = ids.derived(0, key)
    start = functools.partial(mistral.start, run_id, wanted, told=False)
    made = workflows.with_token(lend, start)
    return Begun(run_id, time.time() if made is None else made + _SKEW)
