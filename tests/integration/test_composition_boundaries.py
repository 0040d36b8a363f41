"""A conductor dies at every boundary of an execution; another one ends it, with the same output.

Each run of a function gives a number of its own, so a result that was used twice, or another
one than that in the log, shows in the output.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from funcflow import models
from funcflow.compositions import signals
from funcflow.compositions.commands import RunTask
from funcflow.compositions.resources import Pattern
from funcflow.states import COMPOSITION_SETTLED
from tests import conducting
from tests.integration import dying
from tests.waiting import until

#: Says which of its runs this is: ``key`` and a number that no other run gives.
NUMBERED = """
import uuid

def main(key, **given):
    return {"key": key, "run": str(uuid.uuid4())}
"""

#: A fifth of a second after the state was entered.
SOON = "{% $fromMillis($toMillis($states.context.State.EnteredTime) + 200) %}"


def task(key: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "numbered",
        "Parameters": {"key": key},
        "ResultPath": f"$.{key}",
        **fields,
    }


def inner(prefix: str) -> dict[str, Any]:
    """The processor of a Map: one task for each item."""
    asked = {
        "Type": "Task",
        "Resource": "numbered",
        "Parameters": {"key.$": "States.Format('item {}', $)"},
    }
    return conducting.machine(asked, prefix=prefix)


def here() -> dict[str, Any]:
    """Steps that run where the execution is held."""
    branches = [conducting.machine(task(f"b{n}", ResultPath="$"), prefix=f"B{n}") for n in range(2)]
    return conducting.machine(
        task("first"),
        {"Type": "Parallel", "Branches": branches, "ResultPath": "$.parallel"},
        {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": inner("Item"),
            "ResultPath": "$.map",
        },
        {"Type": "Wait", "QueryLanguage": "JSONata", "Timestamp": SOON},
        task("last"),
    )


def elsewhere(nested: str) -> dict[str, Any]:
    """Steps that are executions of their own, or wait for the outside."""
    child = inner("Child") | {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    }
    return conducting.machine(
        {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemProcessor": child,
            "ResultPath": "$.children",
        },
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution.sync:2",
            "Parameters": {"StateMachineArn": nested, "Input": {}},
            "ResultSelector": {"output.$": "$.Output"},
            "ResultPath": "$.nested",
        },
        task("counted", Resource="counted"),
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "Parameters": {
                "FunctionName": "numbered",
                "Payload": {"key": "asks", "token.$": "$$.Task.Token"},
            },
            "ResultPath": "$.answer",
        },
    )


class Trials:
    """Runs one composition again and again, each time dying one boundary later."""

    def __init__(
        self, stage: conducting.Stage, folder: Path, options: dict[str, Any], stride: int
    ) -> None:
        self.stage = stage
        self.stride = stride
        self._folder = folder
        self._options = options
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.integration.dying"])

    def run(self, composition: models.Composition, last: int) -> tuple[str, str | None]:
        """An execution whose first conductor died at that boundary: its id, and where; None:
        it had ended before."""
        stage = self.stage
        execution = stage.begin(composition, {"items": [1, 2]})
        child = self._context.Process(
            target=dying.live, args=(self._folder, self._options, execution.id, last)
        )
        child.start()
        answer = Teller(stage, execution.id)
        until(lambda: answer.tell() or not child.is_alive(), 60, "the first conductor to end")
        child.join()
        child.close()
        note = self._folder / f"died-{execution.id}"
        died = note.read_text() if note.exists() else None
        if died is not None:
            survivor = stage.conductor()
            until(lambda: answer.tell() or ended(stage, execution.id), 60, f"an end after {died}")
            stage.end(survivor)
        return execution.id, died


class Teller:
    """Answers the one task token, as soon as somebody waits for it."""

    def __init__(self, stage: conducting.Stage, execution_id: str) -> None:
        self._stage = stage
        self._id = execution_id
        self._told = False

    def tell(self) -> bool:
        """Never true, so that waiting goes on."""
        texts = [] if self._told else self._stage.log_texts(self._id)
        if texts:
            row = self._stage.find(self._id)
            execution, _ = self._stage.definitions.history(row, texts)
            for each in execution.outstanding:
                if isinstance(each, RunTask) and each.resource.pattern is Pattern.TOKEN:
                    done = signals.TaskSucceeded(time=0, id=each.id, output="yes")
                    # Twice: the second one changes nothing.
                    self._stage.tell(self._id, done, done)
                    self._told = True
        return False


def ended(stage: conducting.Stage, execution_id: str) -> bool:
    return stage.find(execution_id).state in COMPOSITION_SETTLED


def keys(value: Any) -> Any:
    """An output without the numbers of runs."""
    if isinstance(value, dict):
        return {name: keys(each) for name, each in value.items() if name != "run"}
    return [keys(each) for each in value] if isinstance(value, list) else value


def numbers(value: Any) -> list[str]:
    """The numbers of runs in an output."""
    if isinstance(value, dict):
        own = [value["run"]] if "run" in value else []
        return own + [n for each in value.values() for n in numbers(each)]
    return [n for each in value for n in numbers(each)] if isinstance(value, list) else []


def each_result_was_used_once(stage: conducting.Stage, execution_id: str, output: Any) -> None:
    log = stage.log(execution_id)
    answers = Counter(each.id for each in log if isinstance(each, signals.TaskSucceeded))
    assert set(answers.values()) <= {1}, "a command was answered twice in the log"
    assert len(set(numbers(output))) == len(numbers(output)), "a result was used twice"
    row = stage.find(execution_id)
    again, _ = stage.definitions.history(row, stage.log_texts(execution_id))
    assert again.output == output, "the log says something else than the row"
    logged = {
        n for each in log if isinstance(each, signals.TaskSucceeded) for n in numbers(each.output)
    }
    assert set(numbers(output)) <= logged


@pytest.fixture
def trials(request: pytest.FixtureRequest, data_dir: Path) -> Iterator[Trials]:
    options: dict[str, Any] = {
        "conductor": {"drain": 0.5, "backoff": 0.01, "sweep_interval": 0.2},
        **conducting.installation(request.param, request),
    }
    with conducting.stage(data_dir, **options) as stage:
        stage.watch_board()
        stage.function("numbered", NUMBERED)
        stage.function("counted", NUMBERED, max_concurrency=1)
        yield Trials(stage, data_dir, options, STRIDES[request.param])


#: Every boundary, where a successor takes over at once; every fifth, where it first waits for
#: the board's session of the dead one to end.
STRIDES = {"embedded": 1, "spread": 5}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("trials", list(STRIDES), indirect=True)
@pytest.mark.parametrize("steps", ["here", "elsewhere"])
def test_it_ends_the_same_wherever_its_conductor_dies(trials: Trials, steps: str) -> None:
    stage = trials.stage
    nested = stage.composition(conducting.machine(task("deep")), name="nested")
    definition = here() if steps == "here" else elsewhere(nested.name)
    composition = stage.composition(definition)
    execution_id, died = trials.run(composition, 0)
    assert died is None
    expected = keys(stage.output(execution_id))
    boundary = 1
    places: Counter[str] = Counter()
    while True:
        execution_id, died = trials.run(composition, boundary)
        output = stage.output(execution_id, 60)
        assert keys(output) == expected, f"another output after dying {died}"
        each_result_was_used_once(stage, execution_id, output)
        if died is None:
            break
        places[died] += 1
        boundary += trials.stride
    assert boundary > 25, places
    assert any("Append" in place for place in places), places
    until(lambda: stage.drift() == 0, what="accepted = queued + running + waiting + settled + dead")
