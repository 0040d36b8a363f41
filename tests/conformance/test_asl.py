"""The interpreter against executions recorded on AWS.

Compared: status, output, error name and the types of the history's events. The wording of
causes is compared where funcflow means to use the same words; see :mod:`.differences`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from funcflow.compositions.compile import parse
from funcflow.compositions.signals import Stopped
from tests.conformance import cases
from tests.conformance.cases import Case
from tests.conformance.differences import CAUSES, DIFFERS, MOST, marked
from tests.virtual import Run, World

pytestmark = pytest.mark.skipif(cases.folder() is None, reason="no recorded cases here")

KINDS = cases.kinds("asl")

EXECUTIONS = KINDS.get("execution", ())
#: Those whose recorded cause is compared.
WORDED = [
    name
    for name in EXECUTIONS
    if name not in {*DIFFERS, *CAUSES}
    and cases.load("asl", name)["expect"].get("cause") is not None
]


def world(case: Case) -> World:
    machines = {
        arn: parse(each["definition"], each.get("type", "STANDARD"))
        for arn, each in (case.get("machines") or {}).items()
    }
    objects = {
        (each["bucket"], each["key"]): each["body"].encode() for each in case.get("objects") or ()
    }
    return World(case["lambdas"], machines, objects)


def executed(case: Case) -> Run:
    definition = parse(case.get("definition_text") or case["definition"], case["type"])
    given = case.get("input", {})
    if "input_text" in case:
        given = json.loads(case["input_text"])
    place = world(case)
    run = place.start(definition, given, name=case.get("execution_name", "execution"))
    if case["expect"]["status"] == "ABORTED":
        place.later(5, lambda: place.send(run, Stopped(time=place.now)))
    place.finish(run)
    return run


@pytest.mark.parametrize("name", marked(EXECUTIONS))
def test_execution(name: str) -> None:
    case = cases.load("asl", name)
    expect = case["expect"]
    run = executed(case)
    execution = run.execution
    assert execution.status == expect["status"], f"{execution.error}: {execution.cause}"
    assert outcome(expect, run) is None
    assert history(expect, run) is None


def outcome(expect: dict[str, Any], run: Run) -> str | None:
    """Where output or error differ."""
    tokens, ignored = expect.get("wildcard_tokens", ()), expect.get("ignore_keys", ())
    execution = run.execution
    if "output" in expect:
        wanted, got = cases.normal(expect["output"]), cases.normal(execution.output)
        return cases.difference(wanted, got, tokens, ignored)
    if "output_text" in expect:
        return cases.difference(expect["output_text"], json.dumps(execution.output), tokens)
    if expect["status"] == "FAILED":
        return cases.difference(expect.get("error"), execution.error, tokens, (), "error")
    return None


def history(expect: dict[str, Any], run: Run) -> str | None:
    """Where the types of the events differ, in order if that is fixed."""
    wanted = expect.get("history_types")
    if wanted is None:
        return None
    got = [event.type.value for event in run.history]
    if expect["history_ordered"]:
        return None if wanted == got else f"{wanted} is {got}"
    # Of a Parallel's end the recordings have the id, but not the event.
    got = [kind for kind in got if kind not in ("ParallelStateSucceeded", "ParallelStateFailed")]
    lacks, has = Counter(wanted) - Counter(got), Counter(got) - Counter(wanted)
    return f"lacks {dict(lacks)}, has {dict(has)}" if lacks or has else None


@pytest.mark.parametrize("name", WORDED)
def test_same_words(name: str) -> None:
    case = cases.load("asl", name)
    expect = case["expect"]
    tokens, ignored = expect.get("wildcard_tokens", ()), expect.get("ignore_keys", ())
    cause = cases.normal(executed(case).execution.cause)
    assert cases.difference(cases.normal(expect["cause"]), cause, tokens, ignored) is None


@pytest.mark.skipif(cases.folder() is None, reason="no recorded cases here")
def test_differences_are_few_and_about_recorded_cases() -> None:
    recorded = cases.names("asl")
    differ = {*DIFFERS, *CAUSES}
    assert differ <= set(recorded)
    assert len(differ) < MOST * len(recorded)
