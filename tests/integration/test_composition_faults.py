"""What befalls conductors that hold executions of compositions, and what must come of it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from funcflow import models
from funcflow.compositions import signals
from funcflow.conductor.compositions import progress
from funcflow.conductor.compositions.entry import ticket_of
from funcflow.conductor.pools import Pools
from funcflow.db import composition_executions as executions
from funcflow.jobboards.base import Claim
from funcflow.jobboards.embedded.board import EmbeddedBoard
from funcflow.sandboxes.base import SandboxError
from funcflow.states import CompositionState as State
from tests import conducting
from tests.integration import dying
from tests.waiting import until
from tools.services import postgres, process
from tools.services import zookeeper as zk

#: Notes its start and end in a file, so that tests see runs and whether they overlap.
NOTED = """
import time

def main(path, key, seconds=0, **given):
    with open(path, "a") as file:
        file.write("+" + key + "\\n")
    time.sleep(seconds)
    with open(path, "a") as file:
        file.write("-" + key + "\\n")
    return key
"""
LONG = 99_999_999


class Notes:
    """What runs of ``noted`` wrote down."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notes"
        self.path.touch()

    def given(self, key: str, seconds: float = 0) -> dict[str, Any]:
        return {"path": str(self.path), "key": key, "seconds": seconds}

    def lines(self) -> list[str]:
        return self.path.read_text().split()

    def begun(self, key: str) -> int:
        return Counter(self.lines())[f"+{key}"]

    def most_at_once(self) -> int:
        running = most = 0
        for line in self.lines():
            running += 1 if line.startswith("+") else -1
            most = max(most, running)
        return most


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def task(notes: Notes, key: str, seconds: float = 0, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "noted",
        "Parameters": notes.given(key, seconds),
        "ResultPath": f"$.{key}",
        **fields,
    }


@pytest.fixture
def options() -> dict[str, Any]:
    """The test may change them before it uses ``stage``."""
    return {}


@pytest.fixture
def stage(data_dir: Path, options: dict[str, Any]) -> Iterator[conducting.Stage]:
    with conducting.stage(data_dir, **options) as made:
        made.watch_board()
        made.function("noted", NOTED)
        yield made


def live(stage: conducting.Stage, execution_id: str) -> multiprocessing.process.BaseProcess:
    """A conductor in a process of its own, until the execution has ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.integration.dying"])
    child = context.Process(target=dying.live, args=(stage.folder, stage.options, execution_id, 0))
    child.start()
    return child


def kill(child: multiprocessing.process.BaseProcess) -> None:
    child.kill()
    child.join()


def answers(stage: conducting.Stage, execution_id: str) -> Counter[int]:
    """How often each command was answered in the log."""
    log = stage.log(execution_id)
    return Counter(each.id for each in log if isinstance(each, signals.TaskSucceeded))


# -- claims -------------------------------------------------------------------------------


def test_who_lost_an_execution_writes_nothing(stage: conducting.Stage, notes: Notes) -> None:
    made = stage.conductor()
    execution = stage.begin(stage.composition(conducting.machine(task(notes, "a", 1))))
    until(lambda: notes.begun("a"), what="the function to run")
    epoch = stage.find(execution.id).epoch + 1
    thief = executions.Start(execution.id, epoch, "thief", time.time())
    assert stage.database.write(thief) is not None
    until(lambda: made.metrics()["compositions_fenced_total"], what="the append to be refused")
    until(lambda: made.metrics()["compositions_held"] == 0, what="it to be dropped")
    row = stage.find(execution.id)
    assert (row.state, row.owner, row.sequence) == (State.RUNNING, "thief", 0)
    assert stage.log(execution.id) == []


def test_a_conductor_that_slept_finds_its_executions_gone_on_with(
    stage: conducting.Stage, notes: Notes
) -> None:
    chain = conducting.machine(*(task(notes, f"t{n}", 0.3) for n in range(4)))
    execution = stage.begin(stage.composition(chain))
    child = live(stage, execution.id)
    until(lambda: notes.begun("t1"), 30, "the second function to run")
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    stage.conductor()
    output = stage.output(execution.id, 60)
    before = stage.find(execution.id)
    os.kill(child.pid, signal.SIGCONT)
    child.join(30)
    assert child.exitcode == 0
    assert output == {f"t{n}": f"t{n}" for n in range(4)}
    assert stage.find(execution.id) == before, "what ended was changed"
    assert set(answers(stage, execution.id).values()) == {1}


def test_a_lost_session_costs_no_result(
    data_dir: Path, zookeeper_node: zk.Node, notes: Notes
) -> None:
    """ZooKeeper is away for longer than a session lives; nobody else is there to take over."""
    board = {"driver": "zookeeper", "hosts": zookeeper_node.hosts, "path": f"/{uuid.uuid4()}"}
    options: dict[str, Any] = {
        "jobboard": {**board, "session_timeout": 1.0},
        "compositions": {"park_after": LONG},
    }
    with conducting.stage(data_dir, **options) as stage:
        made = stage.conductor()
        stage.function("noted", NOTED)
        wait = {"Type": "Wait", "Seconds": 6}
        steps = (task(notes, "a"), wait, task(notes, "b"))
        execution = stage.begin(stage.composition(conducting.machine(*steps)))
        until(lambda: notes.begun("a"), 20, "the first function to run")
        claimed = stage.find(execution.id).epoch
        zookeeper_node.pause()
        stage.elapse(4)
        zookeeper_node.resume()
        assert stage.output(execution.id, 60) == {"a": "a", "b": "b"}
        assert stage.find(execution.id).epoch >= claimed
        assert (notes.begun("a"), notes.begun("b")) == (1, 1)
        until(lambda: made.metrics()["compositions_held"] == 0, what="nothing to be held")


@pytest.mark.parametrize("options", [{"conductor": {"drain": 20.0}}])
def test_drained_executions_go_on_elsewhere_at_no_cost(
    stage: conducting.Stage, notes: Notes
) -> None:
    """What runs is let end; what waits goes at once; neither costs an attempt."""
    first = stage.conductor()
    chain = stage.composition(conducting.machine(task(notes, "a", 1), task(notes, "b")))
    working = stage.begin(chain)
    wait = {"Type": "Wait", "Seconds": 3}
    waiting = stage.begin(stage.composition(conducting.machine(wait, task(notes, "c"))))
    until(lambda: notes.begun("a"), what="the function to run")
    stage.end(first)
    for execution in (working, waiting):
        assert stage.find(execution.id).attempts == 0
    stage.conductor()
    assert stage.output(working.id) == {"a": "a", "b": "b"}
    assert stage.output(waiting.id) == {"c": "c"}
    assert [notes.begun(key) for key in "abc"] == [1, 1, 1]


def test_express_begins_again(stage: conducting.Stage, notes: Notes) -> None:
    steps = (task(notes, "a"), task(notes, "b", 1))
    execution = stage.begin(stage.composition(conducting.machine(*steps), "EXPRESS"))
    child = live(stage, execution.id)
    until(lambda: notes.begun("b"), 30, "the second function to run")
    kill(child)
    stage.conductor()
    assert stage.output(execution.id) == {"a": "a", "b": "b"}
    assert notes.begun("a") == 2, "nothing was kept of the first life"


# A lost job would be posted again, too, but only after three times the timeout.
@pytest.mark.parametrize(
    "options", [{"jobboard": {"session_timeout": 60.0}, "compositions": {"park_after": 0}}]
)
def test_what_is_told_while_a_stale_job_of_it_is_removed_goes_on(
    stage: conducting.Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever parked it died before its job was gone. The next one claims the job and finds
    nothing to do, but then there is: the job is marked as posted, and is removed."""
    asks = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "asks", "Payload": {"token.$": "$$.Task.Token"}},
    }
    stage.function("asks", "def main(token):\n    pass\n")
    made = stage.conductor()
    execution = stage.begin(stage.composition(conducting.machine(asks)))
    row = stage.in_state(execution.id, State.WAITING)
    history, _ = stage.definitions.history(row, stage.log_texts(row.id))
    [command] = history.outstanding
    answer = signals.TaskSucceeded(time=0, id=command.id, output="yes")
    until(lambda: execution.id not in stage.board.posted(row.shard), what="its job to be gone")
    real, told = EmbeddedBoard.consume, iter([answer])

    def consume(board: EmbeddedBoard, claims: Sequence[Claim]) -> None:
        if any(each.ticket.execution_id == execution.id for each in claims):
            for each in told:
                stage.tell(execution.id, each)
                made._compositions.feeder.feed()
                assert execution.id in stage.board.posted(row.shard)
        real(board, claims)

    monkeypatch.setattr(EmbeddedBoard, "consume", consume)
    stage.board.post([ticket_of(row)])
    assert stage.output(execution.id) == "yes"
    assert next(told, None) is None


# -- the platform -------------------------------------------------------------------------


def test_a_database_that_is_away_for_a_moment(
    data_dir: Path, zookeeper: str, service_folder: Path, notes: Notes
) -> None:
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        Path(folder).chmod(0o755)
        server = postgres.Server(Path(folder), durable=True)
        server.start()
        try:
            with server.database() as url:
                board = {"driver": "zookeeper", "hosts": zookeeper, "path": f"/{uuid.uuid4()}"}
                with conducting.stage(data_dir, database={"url": url}, jobboard=board) as stage:
                    _through_a_restart(stage, server, notes)
        finally:
            server.stop()


def _through_a_restart(stage: conducting.Stage, server: postgres.Server, notes: Notes) -> None:
    stage.conductor()
    stage.function("noted", NOTED)
    keys = [f"t{n}" for n in range(6)]
    chain = stage.composition(conducting.machine(*(task(notes, key, 0.3) for key in keys)))
    begun = [stage.begin(chain) for _ in range(3)]
    until(lambda: notes.begun("t1") == 3, 30, "all to be under way")
    server.kill()

    def back() -> bool:
        try:
            server.start()
        except process.ServiceError:
            return False
        return True

    until(back, 30, "the database to be back")
    for execution in begun:
        assert stage.output(execution.id, 60) == {key: key for key in keys}
        assert set(answers(stage, execution.id).values()) == {1}
    assert [notes.begun(key) for key in keys] == [3] * 6, "nothing was done again"


def test_what_the_platform_fails_here_is_tried_as_a_job(
    stage: conducting.Stage, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = Pools.acquire, iter([True, True])

    def acquire(self: Pools, *args: Any) -> Any:
        if next(failures, False):
            raise SandboxError("it did not come up", code="start_failed")
        return real(self, *args)

    monkeypatch.setattr(Pools, "acquire", acquire)
    made = stage.conductor()
    execution = stage.begin(stage.composition(conducting.machine(task(notes, "a"))))
    assert stage.output(execution.id) == {"a": "a"}
    (call,) = stage.calls(execution.id)
    assert (call.state, call.attempts) == ("succeeded", 2)
    assert made.metrics()["composition_steps_sent_total"] == 1


def test_poison_becomes_a_dead_letter_and_can_be_redriven(
    stage: conducting.Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.conductor()
    composition = stage.composition(conducting.machine({"Type": "Pass", "Result": 1}))
    with monkeypatch.context() as poisoned:

        def load(*_: Any) -> Any:
            raise RuntimeError("cannot be read")

        poisoned.setattr(progress, "load", load)
        execution = stage.begin(composition)
        row = stage.in_state(execution.id, State.DEAD)
        assert (row.reason, row.attempts) == ("poison", 5)
    assert stage.database.write(executions.Redrive(execution.id, time.time()))
    assert stage.output(execution.id) == 1
    until(lambda: stage.drift() == 0, what="everything to be accounted for")


# -- functions ----------------------------------------------------------------------------


def test_at_most_once_is_not_run_again(stage: conducting.Stage, notes: Notes) -> None:
    stage.function("once", NOTED, delivery="at-most-once")
    catch = [{"ErrorEquals": ["Funcflow.Lost"], "Next": "S1", "ResultPath": "$.lost"}]
    step = task(notes, "a", 30, Resource="once", Catch=catch)
    execution = stage.begin(stage.composition(conducting.machine(step, {"Type": "Pass"})))
    child = live(stage, execution.id)
    until(lambda: notes.begun("a"), 30, "the function to run")
    kill(child)
    stage.conductor()
    assert stage.output(execution.id, 60)["lost"]["Error"] == "Funcflow.Lost"
    assert notes.begun("a") == 1


def test_a_limit_of_runs_holds_for_steps(stage: conducting.Stage, notes: Notes) -> None:
    stage.conductor()
    stage.function("counted", NOTED, max_concurrency=1)
    step = {"Type": "Task", "Resource": "counted"}
    definition = conducting.machine(
        {"Type": "Map", "ItemProcessor": conducting.machine(step, prefix="Item")}
    )
    items = [notes.given(f"k{n}", 0.05) for n in range(5)]
    execution = stage.begin(stage.composition(definition), items)
    assert stage.output(execution.id, 60) == [f"k{n}" for n in range(5)]
    assert notes.most_at_once() == 1


@pytest.mark.parametrize("options", [{"conductor": {"capacity": 4, "drain": 2.0}}])
def test_wide_work_spreads_over_conductors(stage: conducting.Stage, notes: Notes) -> None:
    both = [stage.conductor(), stage.conductor()]
    step = {"Type": "Task", "Resource": "noted"}
    definition = conducting.machine(
        {"Type": "Map", "ItemProcessor": conducting.machine(step, prefix="Item")}
    )
    # More at once than one conductor may run and let wait.
    items = [notes.given(f"k{n}", 0.05) for n in range(120)]
    executions_ = [stage.begin(stage.composition(definition), items) for _ in range(4)]
    for execution in executions_:
        assert stage.output(execution.id, 120) == [f"k{n}" for n in range(120)]
    ran = [made.metrics()["composition_steps_here_total"] for made in both]
    sent = [made.metrics()["composition_steps_sent_total"] for made in both]
    assert sum(ran) + sum(sent) == 480, (ran, sent)
    assert sum(sent) > 0, (ran, sent)
    assert all(made.metrics()["cold_starts_total"] for made in both), "one did nothing"


def test_what_a_function_printed_is_kept(stage: conducting.Stage) -> None:
    stage.function("talks", "def main():\n    print('hello')\n    return 1\n")
    execution: models.CompositionExecution = stage.begin(
        stage.composition(conducting.machine({"Type": "Task", "Resource": "talks"}))
    )
    stage.conductor()
    assert stage.output(execution.id) == 1
    (call,) = stage.calls(execution.id)
    assert json.loads(call.output or "") == 1
    assert stage.printed(call.id) == "hello\n"
