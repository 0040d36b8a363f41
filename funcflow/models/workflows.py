"""Workflows of Mistral that tasks of compositions wait for.

Kept by :mod:`funcflow.db.workflow_runs`, asked for by
:mod:`funcflow.conductor.compositions.workflows`, seen to by :mod:`funcflow.conductor.workflows`.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Final

#: What a workflow knows of who started it: ``env().funcflow`` in its expressions.
ENV: Final = "funcflow"


class Stage(enum.StrEnum):
    """How far a run is. Stored by value; what is over is gone."""

    #: Mistral is to start it.
    STARTING = "starting"
    #: Mistral has it.
    WAITING = "waiting"
    #: Nobody waits for it any more: Mistral is to cancel it.
    STOPPING = "stopping"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What Mistral is asked to run."""

    #: Its name or id.
    workflow: str
    namespace: str = ""
    input: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    env: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    description: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One workflow execution of a task. ``due_at`` also says which claim on it is the last."""

    #: Also of the execution in Mistral: asking twice starts one.
    id: str
    execution_id: str
    command: int
    project_id: str
    #: Who is lent to it; None: Mistral asks nobody who they are.
    trust_id: str | None = None
    #: None: it is to be stopped, and nobody needs it any more.
    wanted: Wanted | None
    stage: Stage = Stage.STARTING
    #: Since the stage began, or since Mistral last answered.
    attempts: int = 0
    #: Times it was looked at, in vain when it is to be stopped; they become rarer.
    looks: int = 0
    due_at: float
    created_at: float
