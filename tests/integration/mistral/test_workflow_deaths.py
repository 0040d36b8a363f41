"""A task's workflow is started once and its end is told, wherever a conductor dies meanwhile.

Whoever sees to workflows is made to end at each boundary of its work in turn: before and after
each request to Mistral and each change of the database. Another one goes on when its claim is
over. Mistral is real; the clock is not, so that nobody has to wait for claims.
"""

from __future__ import annotations

import functools
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from funcflow import conf as config
from funcflow import definitions, delegations, ids
from funcflow.compositions import signals
from funcflow.conductor import workflows as conductor
from funcflow.db import composition_executions, schema, workflow_runs
from funcflow.db.engine import Database
from funcflow.models.workflows import Run, Wanted
from funcflow.stores.memory import MemoryStore
from tests.integration.mistral.stage import Stage
from tests.unit.conductor.compositions.held import row
from tests.waiting import until

#: More boundaries than there are.
MANY = 60
WORKFLOWS = """
version: '2.0'
deaths_double:
  input: [n]
  output:
    doubled: <% $.n * 2 %>
  tasks:
    only:
      action: std.noop
deaths_nap:
  tasks:
    only:
      action: std.async_noop
"""


class Death(BaseException):
    """Nothing catches it but the end of a thread."""


class Life:
    """Ends at the boundary of that number; ``None``: never."""

    def __init__(self, last: int | None) -> None:
        self._last = last
        self._lock = threading.Lock()
        self._passed = 0
        self.over: str | None = None

    def reach(self, name: str) -> None:
        with self._lock:
            self._passed += 1
            if self.over is None and self._passed == self._last:
                self.over = name
            if self.over is not None:
                raise Death(name)

    def around(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        """Before and after every call of one object's method."""
        real = getattr(owner, name)

        @functools.wraps(real)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.reach(f"before {name}")
            answer = real(*args, **kwargs)
            self.reach(f"after {name}")
            return answer

        patch.setattr(owner, name, wrapped)


class Lender:
    """Gives the token of somebody who is there."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(
        self, trust_id: str, lasting: float = 0.0, *, fresh: bool = False
    ) -> delegations.Delegation:
        return delegations.Delegation(
            token=self._token, expires_at=time.time() + 3600, user_id="u", project_id="p"
        )


class Scene:
    """An execution of a composition whose first command runs a workflow."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        url = f"sqlite:///{folder}/funcflow.db"
        schema.upgrade(url)
        self.database = Database(url)
        self.stage = stage
        self.now = time.time()
        mistral = {"url": stage.mistral.url, "look": 0.5, "max_look": 0.5}
        self.conf: cfg.ConfigOpts = config.load(mistral=mistral, default={"secret": "s"})
        self.known = definitions.Definitions(self.conf, self.database, MemoryStore(self.conf))

    def begin(self, workflow: str, **given: Any) -> Run:
        execution = row()
        self.database.write(composition_executions.Insert((execution,), False))
        run = Run(
            id=ids.derived(self.now, execution.id, 1), execution_id=execution.id, command=1,
            project_id="p", trust_id="t",
            wanted=Wanted(workflow=workflow, input=given, description=execution.id),
            due_at=self.now, created_at=self.now,
        )  # fmt: skip
        self.database.transact(lambda connection: workflow_runs.ask(connection, [run]))
        return run

    def live(self, done: Callable[[], bool], last: int | None, patch: pytest.MonkeyPatch) -> Life:
        """One conductor's life: until it is done, or dies."""
        life = Life(last)
        told = self.known, Lender(self.stage.token), lambda *_: None, lambda: self.now
        made = conductor.Workflows(self.conf, self.database, *told)
        with patch.context() as within:
            # Of this one alone: others of the process live on.
            life.around(within, made._mistral._rest, "send")
            life.around(within, made, "_deliver")
            life.around(within, self.database, "transact")
            give_up = time.monotonic() + 60
            while life.over is None and not done():
                assert time.monotonic() < give_up, "nothing happens any more"
                try:
                    made.work()
                except Death:
                    break
                self.now += 1.0
        made.stop()
        return life

    def heard(self, run: Run) -> list[signals.Signal]:
        """What the execution was told, without what was said again."""
        with self.database.read() as connection:
            entries = composition_executions.inbox(connection, run.execution_id)
        found: list[signals.Signal] = []
        for entry in entries:
            signal = signals.load(json.loads(entry.text))
            if not any(type(each) is type(signal) for each in found):
                found.append(signal)
        return found

    def gone(self, run: Run) -> bool:
        with self.database.read() as connection:
            return workflow_runs.find(connection, run.id) is None

    def in_mistral(self, run: Run) -> list[dict[str, Any]]:
        query = f"executions?description=eq:{run.execution_id}"
        found: list[dict[str, Any]] = self.stage.ask("GET", query)["executions"]
        return found


@pytest.fixture
def scene(stage: Stage, tmp_path: Path) -> Iterator[Scene]:
    if not [w for w in stage.ask("GET", "workflows")["workflows"] if w["name"] == "deaths_nap"]:
        stage.define(WORKFLOWS)
    made = Scene(stage, tmp_path)
    yield made
    made.database.close()


def test_it_ends_well_wherever_somebody_died(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    died = []
    for last in itertools.count(1):
        assert last < MANY
        run = scene.begin("deaths_double", n=last)
        done = functools.partial(scene.gone, run)
        life = scene.live(done, last, monkeypatch)
        if life.over is not None:
            died.append(life.over)
            scene.now += 60.0  # The claim is over.
            scene.live(done, None, monkeypatch)
        (execution,) = scene.in_mistral(run)
        assert execution["id"] == run.id
        told = {type(each): each for each in scene.heard(run)}
        succeeded = told[signals.TaskSucceeded]
        assert isinstance(succeeded, signals.TaskSucceeded)
        assert succeeded.output["doubled"] == 2 * last
        if life.over not in ("after transact", "before _deliver"):
            assert signals.TaskSubmitted in told
        if life.over is None:
            break
    assert {*died} == {
        f"{when} {what}"
        for when in ("before", "after")
        for what in ("send", "transact", "_deliver")
    }


def test_it_is_cancelled_wherever_somebody_died(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for last in itertools.count(1):
        assert last < MANY
        run = scene.begin("deaths_nap")
        # Nobody waits for it from the beginning on, or once it was looked at.
        looked = functools.partial(_looked, scene, run)
        scene.live(looked, None, monkeypatch)
        stop = functools.partial(workflow_runs.stop, execution_id=run.execution_id, command=1)
        scene.database.transact(lambda connection: stop(connection, now=scene.now))  # noqa: B023
        done = functools.partial(scene.gone, run)
        life = scene.live(done, last, monkeypatch)
        if life.over is not None:
            scene.now += 60.0
            scene.live(done, None, monkeypatch)
        (execution,) = scene.in_mistral(run)
        assert execution["state"] == "CANCELLED"
        if life.over is None:
            break


def test_what_was_given_up_is_cancelled_when_mistral_did_it_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.conf.set_override("patience", 0.0, group="mistral")
    scene.conf.set_override("timeout", 1.0, group="mistral")
    run = scene.begin("deaths_nap")
    scene.stage.mistral.pause()
    try:
        scene.live(lambda: bool(scene.heard(run)), None, monkeypatch)
    finally:
        scene.stage.mistral.resume()
    (told,) = scene.heard(run)
    assert isinstance(told, signals.TaskFailed)
    assert told.error == "Mistral.Unavailable"
    # It had the request before it, and does it now.
    until(lambda: scene.in_mistral(run), 60, "Mistral to start it")
    scene.live(functools.partial(scene.gone, run), None, monkeypatch)
    (execution,) = scene.in_mistral(run)
    assert execution["state"] == "CANCELLED"


def _looked(scene: Scene, run: Run) -> bool:
    with scene.database.read() as connection:
        found = workflow_runs.find(connection, run.id)
    return found is not None and found.looks > 0
