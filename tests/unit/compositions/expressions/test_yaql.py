"""YAQL: answers, failures, determinism."""

from __future__ import annotations

import pytest

from funcflow.compositions.expressions import (
    Language,
    Limits,
    Malformed,
    Scope,
    SeededHooks,
    compile_expression,
    compile_template,
)
from funcflow.compositions.failures import DATA_LIMIT, QUERY, Failure

SCOPE = Scope(
    {"a": {"b": 1}, "items": [{"p": 1, "n": "x"}, {"p": 20, "n": "y"}]},
    {"Execution": {"Id": "e-1"}},
    {"v": {"w": 2}, "n": 5},
    result={"ok": True},
)


def evaluate(code: str, scope: Scope = SCOPE) -> object:
    return compile_expression(f"<% {code} %>", Language.YAQL, "Output").evaluate(scope)


ANSWERS = [
    ("$", SCOPE.input),
    ("$.a.b", 1),
    ("$.items.n", ["x", "y"]),
    ("$v.w", 2),
    ("$n + 1", 6),
    ("$.items.where($.p > 10).select($.n)", ["y"]),
    ("$.items.select($.p).sum() + $n", 26),
    ("$states.input.a.b", 1),
    ("$states.result.ok", True),
    ("$states.context.Execution.Id", "e-1"),
    ("len($states.context.Execution.Id)", 3),
    ("let(x => 2) -> $x * $n", 10),
    ("dict(a => $n, b => [1, null])", {"a": 5, "b": [1, None]}),
    ("set(1, 2)", [1, 2]),
    ("'$nope'", "$nope"),
    ("null", None),
]


@pytest.mark.parametrize(("code", "value"), ANSWERS, ids=[code for code, _ in ANSWERS])
def test_an_expression_answers(code: str, value: object) -> None:
    assert evaluate(code) == value


@pytest.mark.parametrize(
    "code",
    [
        "$.nope",
        "$nope",
        "$nope + 1",
        "$.a.nope",
        "$states.errorOutput",
        "1 / 0",
        "nope()",
        "'a' + 1",
    ],
)
def test_a_failure_names_the_expression(code: str) -> None:
    with pytest.raises(Failure) as failure:
        evaluate(code)
    assert failure.value.error == QUERY
    assert failure.value.location == "Output"
    assert f"The YAQL expression '{code}' specified for the field 'Output'" in failure.value.cause


@pytest.mark.parametrize("code", ["$ +", "(", "'open", "$.a..b", "(" * 3000, "1" * 20_000])
def test_what_is_malformed_is_refused(code: str) -> None:
    with pytest.raises(Malformed):
        compile_expression(f"<% {code} %>", Language.YAQL)


def test_chance_and_time_come_from_the_hooks() -> None:
    scope = Scope(None, hooks=SeededHooks(1, 1_600_000_000.0))
    assert evaluate("now()", scope) == "2020-09-13T12:26:40+00:00"
    assert evaluate("now().year", scope) == 2020
    for code in ("random()", "uuid()", "random(1, 1000000)"):
        one, same, other = (
            evaluate(code, Scope(None, hooks=SeededHooks(seed))) for seed in (1, 1, 2)
        )
        assert one == same
        assert one != other
    assert evaluate("random(3, 3)") == 3


def test_a_plain_look_up_shares_the_value() -> None:
    assert evaluate("$.a") is SCOPE.input["a"]


def test_a_text_is_bounded() -> None:
    template = compile_template("<% $ %>" * 3, Language.YAQL)
    assert template.evaluate(Scope("ab")) == "ababab"
    with pytest.raises(Failure) as failure:
        template.evaluate(Scope("a" * 50, limits=Limits(output=100)))
    assert failure.value.error == DATA_LIMIT


def test_variables_are_known() -> None:
    def names(text: str) -> frozenset[str]:
        return compile_template(text, Language.YAQL).variables

    assert names("<% $a.where($ > $b and $1 != '$c') %> <% $states.input %>") == {"a", "b"}
    assert names("<% let(x => $y) -> $x %>") == {"y"}
