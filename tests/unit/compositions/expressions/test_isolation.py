"""The helper process: hostile expressions fail, and the next expression works."""

from __future__ import annotations

import dataclasses
import os
import signal

import pytest

from funcflow.compositions.expressions import (
    Language,
    Limits,
    Scope,
    compile_expression,
    isolation,
)
from funcflow.compositions.failures import DATA_LIMIT, QUERY, Failure

LIMITS = Limits(time=0.3, memory=64 * 1024 * 1024, output=100_000)

HOSTILE = [
    ("JSONata", "($f := function($x){$f($x)}; $f(1))", QUERY),
    ("JSONata", "$pad('a', 1000000000)", QUERY),
    ("JSONata", "$replace($v, 'a', $v & $v & $v)", QUERY),
    ("JSONata", "[1..10000000]", QUERY),
    (
        "JSONata",
        "($d := function($x, $n){$n = 0 ? $x : $d([[$x], [$x]], $n - 1)}; $d(1, 60))",
        QUERY,
    ),
    (
        "JSONata",
        "($d := function($x, $n){$n = 0 ? $x : $d($append($x, $x), $n - 1)}; $d([1], 26))",
        QUERY,
    ),
    (
        "JSONata",
        "($d := function($x, $n){$n = 0 ? $x : $d($x & $x, $n - 1)}; $d('a', 18))",
        DATA_LIMIT,
    ),
    ("JSONata", "$map([1..50000], function($x){$x})", DATA_LIMIT),
    ("JSONata", "$v.($w := $; $v.($w & $))", QUERY),
    ("YAQL", "range(0, 100000).select(range(0, 100000).sum()).sum()", QUERY),
    ("YAQL", "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' =~ '(a+)+$'", QUERY),
    ("YAQL", "'a' * 1000000000", QUERY),
    ("YAQL", "pow(10, pow(10, 10))", QUERY),
    ("YAQL", "sequence(0)", QUERY),
    ("YAQL", "list(range(0, 90000))", DATA_LIMIT),
]


def text(language: str, code: str) -> str:
    return f"{{% {code} %}}" if language == "JSONata" else f"<% {code} %>"


@pytest.mark.parametrize(("language", "code", "error"), HOSTILE)
def test_a_hostile_expression_fails_alone(language: str, code: str, error: str) -> None:
    # What ends by its size must not end by its time first, however busy the machine is.
    limits = LIMITS if error == QUERY else dataclasses.replace(LIMITS, time=30.0)
    scope = Scope({}, {}, {"v": "a" * 100_000}, limits=limits)
    if ".(" in code:
        scope.variables = {"v": ["a" * 10] * 5000}
    expression = compile_expression(text(language, code), Language(language), "Output")
    with pytest.raises(Failure) as failure:
        expression.evaluate(scope)
    assert failure.value.error == error
    assert failure.value.location == "Output"
    sane = compile_expression("{% $map([1, 2], function($x){$x + 1}) %}", Language.JSONATA)
    assert sane.evaluate(scope) == [2, 3]


def test_a_helper_that_was_ended_is_replaced() -> None:
    expression = compile_expression("{% [1..3] %}", Language.JSONATA)
    scope = Scope(None, limits=LIMITS)
    assert expression.evaluate(scope) == [1, 2, 3]
    helper = isolation._helpers.take(LIMITS.memory)
    os.kill(helper._process.pid, signal.SIGKILL)
    helper._process.wait()
    isolation._helpers.give(helper)
    assert expression.evaluate(scope) == [1, 2, 3]


def test_a_helper_knows_nothing_of_this_process() -> None:
    os.environ["FUNCFLOW_TEST_SECRET"] = "canary"
    try:
        helper = isolation.Helper(LIMITS.memory)
    finally:
        del os.environ["FUNCFLOW_TEST_SECRET"]
    try:
        with open(f"/proc/{helper._process.pid}/environ", "rb") as environ:
            assert b"canary" not in environ.read()
    finally:
        helper.close()


def test_large_values_go_there_and_back() -> None:
    value = {"list": ["é" * 1000] * 200, "n": 1}
    expression = compile_expression("{% $map($v, function($x){$x}) %}", Language.JSONATA)
    scope = Scope(None, {}, {"v": [value, value]}, limits=Limits())
    assert expression.evaluate(scope) == [value, value]
