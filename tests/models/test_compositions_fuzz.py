"""Changed definitions, wild inputs and signals out of place: judged and run, never a crash.

The changes start from definitions that are good, so that many of them still are. What is
judged good must then run to an end, in virtual time and with faults.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funcflow.compositions import commands, signals
from funcflow.compositions.advance import advance, replay
from funcflow.compositions.compile import parse, problems
from funcflow.compositions.execution import Bounds, Execution
from funcflow.compositions.signals import Signal
from funcflow.compositions.step import INTERNAL
from funcflow.compositions.validate import tables
from tests.models.simulation import WILD, World
from tests.models.simulation_checks import check
from tests.unit.compositions.machines import Maker
from tests.unit.compositions.test_compile import at, changed, places

#: The same examples in every run; more of them on demand, by ``--hypothesis-profile``.
fuzzed = settings(
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["n", "items", "a", "é"]), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
INPUTS = JSON | st.fixed_dictionaries({"n": JSON, "items": JSON})

EXPRESSIONS = st.sampled_from(
    """
    $
    $.n
    $.items
    $.items[0]
    $.items[*]
    $.items[?(@>1)]
    $..n
    $.items.length()
    $$
    $$.Map.Item
    $$.Execution.Input
    $v
    $v.n
    States.UUID()
    States.ArrayRange(0, 9, 2)
    States.Format('{}', $.n)
    States.JsonToString($)
    States.StringToJson($.n)
    States.MathAdd($.n, 1)
    States.ArrayGetItem($.items, 0)
    States.Array($, $.n)
    States.ArrayPartition($.items, 2)
    States.MathRandom(0, 9)
    States.Hash($.n, 'MD5')
    {% $states.input %}
    {% $states.input.n + 1 %}
    {% $map($states.input.items, function($i){$i}) %}
    {% $states.result %}
    {% $v %}
    {% ( $f := function($x){$f($x)}; $f(1) ) %}
    {% $uuid() %}
    {% [1..$states.input.n] %}
    {% $string($states) %}
    {% $partition([1,2,3], 2) %}
    <% $ %>
    <% $.n + 1 %>
    <% $.items.select($ * 2) %>
    <% $.items.len() %>
    """.strip().splitlines()
).map(str.strip)
FIELDS = sorted(set().union(*tables.BOTH.values(), *tables.PATH.values(), *tables.QUERY.values()))
VALUES = (
    EXPRESSIONS
    | st.integers(-1, 3)
    | st.sampled_from(
        [True, None, 1.5, "", "JSONata", "JSONPath", "YAQL", "S1", "S2", "States.ALL"]
    )
    | st.builds(lambda key, value: {key: value}, st.sampled_from(["a", "a.$", "n.$"]), EXPRESSIONS)
)


def language(value: Any) -> str:
    """The first letters by which an expression's language is known; "": no expression."""
    text = value if isinstance(value, str) else ""
    return next((mark for mark in ("{%", "<%", "$", "States.") if text.startswith(mark)), "")


@st.composite
def definitions(draw: st.DrawFn) -> Any:
    """A good definition with one to three changes: most are other expressions, so that it
    often stays good; else a value is replaced or a field added."""
    data: Any = Maker(draw(st.integers(0, 400)), outside=True).definition()
    for _ in range(draw(st.integers(1, 3))):
        expressions = [path for path in places(data) if language(at(data, path))]
        if expressions and draw(st.integers(0, 3)):
            path = draw(st.sampled_from(expressions))
            mark = language(at(data, path))[0]
            data = changed(data, path, draw(EXPRESSIONS.filter(lambda text: mark in text)))  # noqa: B023
            continue
        path = draw(st.sampled_from(places(data)))
        old = at(data, path)
        if isinstance(old, dict) and draw(st.booleans()):
            new = old | {draw(st.sampled_from(FIELDS)): draw(VALUES)}
        elif draw(st.booleans()):
            new = draw(VALUES)
        else:
            new = at(data, draw(st.sampled_from(places(data))))
        data = changed(data, path, new)
    return data


def good(data: Any) -> bool:
    return not any(problem.severity == "error" for problem in problems(data))


@settings(fuzzed, max_examples=600)
@given(definitions(), INPUTS, st.lists(INPUTS, min_size=1, max_size=3), st.integers(0, 9))
def test_what_is_judged_good_runs_to_an_end(
    data: Any, input: Any, outputs: list[Any], seed: int
) -> None:
    if isinstance(data, dict) and good(data):
        world = World(seed, WILD, outputs)
        world.start(parse(data), input)
        world.run()
        check(world)


MARKS = "{}[]\",:\\\n\t #&*!|>'%@`-?0é\x00"


@st.composite
def texts(draw: st.DrawFn) -> str:
    """JSON or YAML of a good definition, damaged."""
    data = Maker(draw(st.integers(0, 400)), outside=True).definition()
    text = draw(st.sampled_from([json.dumps(data), json.dumps(data, indent=1), yaml.dump(data)]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 20)))
        what = draw(st.sampled_from([*MARKS, text[start:end] * 2]))
        text = text[:start] + what + text[end:]
    return text


@settings(fuzzed, max_examples=400)
@given(texts())
def test_any_text_is_judged(text: str) -> None:
    found = problems(text)
    assert all(problem.message and problem.code for problem in found)
    if good(text):
        assert parse(text).states


KINDS = (
    signals.Continued,
    signals.TaskSubmitted,
    signals.TaskSucceeded,
    signals.TaskFailed,
    signals.TaskTimedOut,
    signals.TimerFired,
    signals.Paused,
    signals.Resumed,
    signals.Stopped,
    signals.Redriven,
    signals.Started,
)


@st.composite
def signal(draw: st.DrawFn) -> Signal:
    kind = draw(st.sampled_from(KINDS))
    has = {each.name for each in dataclasses.fields(kind)}
    about: dict[str, Any] = {"time": draw(st.floats(0, 1e10))}
    about |= {"id": draw(st.integers(0, 6))} if "id" in has else {}
    about |= {"output": draw(JSON)} if "output" in has else {}
    about |= {"error": draw(st.none() | st.text(max_size=4))} if "error" in has else {}
    return kind(**about)


@settings(fuzzed, max_examples=300)
@given(st.integers(0, 400), INPUTS, st.lists(signal(), max_size=30))
def test_any_signal_will_do(seed: int, input: Any, given_: list[Signal]) -> None:
    definition = parse(Maker(seed, outside=True).definition())
    one, two = (Execution(definition, bounds=Bounds(states=5)) for _ in range(2))
    log: list[Signal] = []
    history = []
    for each in [signals.Started(time=1.0, input=input), *given_]:
        log.append(each)
        wanted, happened = advance(one, each)
        history += happened
        while wanted and isinstance(wanted[-1], commands.Continue):
            log.append(signals.Continued(time=1.0))
            wanted, happened = advance(one, log[-1])
            history += happened
    assert INTERNAL not in str([event.details for event in history])
    assert replay(two, log) == history
    assert two.outstanding == one.outstanding
