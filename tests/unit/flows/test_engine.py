"""The inline engine gives the results of TaskFlow's serial engine, revert included."""

from __future__ import annotations

from typing import Any

import pytest
import taskflow.engines
from taskflow import exceptions, retry, task
from taskflow.patterns import graph_flow, linear_flow

ENGINES = ["serial", "funcflow-inline"]


class Add(task.Task):
    default_provides = "total"

    def execute(self, a: int, b: int = 1) -> int:
        return a + b


class Split(task.Task):
    default_provides = ("first", "rest")

    def execute(self, total: int) -> tuple[int, int]:
        return 1, total - 1


class Keyed(task.Task):
    default_provides = {"one", "two"}

    def execute(self, rest: int) -> dict[str, int]:
        return {"one": rest, "two": rest * 2}


class Note(task.Task):
    """Records what its revert is told."""

    default_provides = "noted"

    def __init__(self, name: str, log: list[Any], fail: bool = False, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self._log, self._fail = log, fail

    def execute(self, a: int) -> str:
        if self._fail:
            raise LookupError(f"{self.name} with {a}")
        return f"{self.name}:{a}"

    def revert(self, a: int, result: Any, flow_failures: dict[str, Any], **_: Any) -> None:
        told = result if isinstance(result, str) else str(result.exception)
        self._log.append((self.name, a, told, sorted(flow_failures)))


def good_flow() -> linear_flow.Flow:
    inner = linear_flow.Flow("inner").add(Split(), Keyed())
    rebound = Add("again", rebind={"a": "one", "b": "two"}, provides="sum")
    return linear_flow.Flow("outer").add(Add(), inner, rebound)


def run(engine: str, flow: Any, store: dict[str, Any]) -> dict[str, Any]:
    results: dict[str, Any] = taskflow.engines.run(flow, engine=engine, store=store)
    return results


@pytest.mark.parametrize("store", [{"a": 4}, {"a": 4, "b": 10}])
def test_same_results(store: dict[str, int]) -> None:
    stock, inline = (run(engine, good_flow(), store) for engine in ENGINES)
    assert inline == stock
    assert inline["sum"] == inline["one"] + inline["two"]


def test_same_revert() -> None:
    stories = []
    for engine in ENGINES:
        log: list[Any] = []
        flow = linear_flow.Flow("f").add(
            Note("n1", log, provides="x"),
            Note("n2", log, provides="y"),
            Note("n3", log, fail=True, provides="z"),
            Note("n4", log, provides="w"),
        )
        with pytest.raises(LookupError, match="n3 with 7"):
            run(engine, flow, {"a": 7})
        stories.append(log)
    assert stories[0] == stories[1]
    assert [entry[0] for entry in stories[1]] == ["n3", "n2", "n1"]


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_input_is_refused_before_anything_runs(engine: str) -> None:
    with pytest.raises(exceptions.MissingDependencies):
        run(engine, good_flow(), {})


@pytest.mark.parametrize(
    "flow",
    [
        graph_flow.Flow("graph").add(Add()),
        linear_flow.Flow("retried", retry=retry.Times(2)).add(Add()),
    ],
)
def test_what_it_cannot_run_is_refused(flow: Any) -> None:
    with pytest.raises(exceptions.CompilationFailure):
        run("funcflow-inline", flow, {"a": 1})


def test_states_are_notified() -> None:
    engine = taskflow.engines.load(good_flow(), engine="funcflow-inline", store={"a": 1})
    seen: list[str] = []
    engine.notifier.register("*", lambda state, details: seen.append(state))
    engine.run()
    assert seen == ["RUNNING", "SUCCESS"]
    assert engine.storage.get_flow_state() == "SUCCESS"
    assert engine.storage.fetch("total") == 2
