"""All that a conductor has for compositions, put together, and what the conductor asks of it.

Built and called by :class:`funcflow.conductor.conductor.Conductor` alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from oslo_config import cfg

from funcflow import composition_targets, definitions, models, targets
from funcflow.compositions.resources import Kind
from funcflow.conductor import catalog, slots, sweeper, workflows
from funcflow.conductor.compositions import base, crew, pace, performers, runs
from funcflow.conductor.compositions.entry import Entry
from funcflow.conductor.compositions.feeder import Feeder
from funcflow.conductor.compositions.functions import Functions
from funcflow.conductor.compositions.jobs import Jobs
from funcflow.conductor.compositions.keeper import Keeper
from funcflow.conductor.compositions.parts import Parts
from funcflow.conductor.runner import Policy, Runner
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base

#: Threads for turns of executions, beside those that run functions.
TURNS: Final = 16
#: Seconds an idea of what a name means is kept without an announcement.
TARGET_AGE: Final = 5.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the conductor has already."""

    conf: cfg.ConfigOpts
    name: str
    database: Database
    board: board_base.Board
    definitions: definitions.Definitions
    catalog: catalog.Catalog
    runner: Runner
    runs: runs.Parts
    policy: Policy
    #: Run slots, shared with executions of functions.
    slots: slots.Slots
    #: Whether executions of functions on the board wait for a run slot.
    starved: Callable[[], bool]
    #: Called when a run slot is free, or room for an execution.
    freed: Callable[[], None]
    times: sweeper.Times
    #: The wall clock.
    clock: Callable[[], float]


class Compositions:
    """The conductor's compositions."""

    def __init__(self, around: Around) -> None:
        conf, database, board = around.conf, around.database, around.board
        options = conf.compositions
        self._targets = targets.Targets(database, TARGET_AGE)
        weights = {name: float(weight) for name, weight in conf.conductor.weights.items()}
        self._crew = crew.Crew(around.slots.capacity + TURNS)
        parts = Parts(
            name=around.name,
            database=database,
            board=board,
            definitions=around.definitions,
            texts=around.definitions.texts,
            policy=around.policy,
            slots=slots.Slots(options.held, weights),
            crew=self._crew,
            clock=around.clock,
            park_after=options.park_after,
            window=conf.jobboard.window,
            freed=around.freed,
        )
        self.keeper = Keeper(parts)
        self.entry = Entry(parts, self.keeper)
        self.feeder = Feeder(
            board,
            database,
            around.clock,
            window=conf.jobboard.window,
            grace=around.times.grace,
            retention=around.times.retention,
        )
        self._jobs = Jobs(conf, database, board, around.runner.cancel, around.clock)
        self._runs = runs.Runs(
            around.runs, around.slots, self._crew, starved=around.starved, freed=around.freed
        )
        steps = pace.Pace(around.catalog, database, self.keeper.timers)
        functions = Functions(around.catalog, self._targets, self._runs, self._jobs, steps)
        self._nested = composition_targets.CompositionTargets(database, TARGET_AGE)
        self._workflows = workflows.Workflows(
            conf,
            database,
            around.definitions,
            around.runs.trusts,
            lambda execution_id, owner: self.nudge(execution_id, owner, around.name),
            around.clock,
        )
        self._performers: dict[str, base.Performer] = {
            Kind.FUNCTION.value: functions,
            Kind.INVOKE.value: functions,
            **performers.build(
                conf,
                database,
                board,
                self.entry,
                parts.texts,
                self._nested,
                around.clock,
                self._workflows.wake,
                around.runs.trusts,
            ),
        }

    def start(self) -> None:
        self.keeper.start(self._performers)
        self._workflows.start()

    def stop(self) -> None:
        self.keeper.stop()
        self._workflows.stop()

    def forget(self) -> None:
        """Functions, compositions, versions or aliases changed somewhere."""
        self._targets.forget()
        self._nested.forget()

    def freed(self) -> None:
        """A run slot may be free."""
        self._runs.pump()

    def ended(self, execution: models.Execution) -> None:
        """A function's execution ended, of which its parent was told."""
        if execution.parent_id is not None:
            self.keeper.nudge(execution.parent_id)

    def nudge(self, execution_id: str, owner: str | None, me: str) -> None:
        """See :class:`funcflow.handover.Handover`."""
        if not self.keeper.nudge(execution_id) and owner in (None, me):
            self.entry.attend(execution_id)

    def metrics(self) -> Mapping[str, float]:
        return {
            **self.keeper.metrics(),
            **self._workflows.metrics(),
            "composition_steps_here_total": self._runs.total,
            "composition_steps_sent_total": self._jobs.total,
        }
