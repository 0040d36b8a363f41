"""JSONata: answers, AWS's additions, failures, what is known of the text."""

from __future__ import annotations

import re
import threading

import pytest

from funcflow.compositions.expressions import (
    Language,
    Malformed,
    Scope,
    SeededHooks,
    compile_expression,
)
from funcflow.compositions.expressions.jsonata_source import Source, tokens_of
from funcflow.compositions.failures import QUERY, Failure

SCOPE = Scope(
    {"a": {"b": [1, 2]}, "one": [7], "items": [{"p": 1, "n": "x"}, {"p": 20, "n": "y"}], "t": "T"},
    {"Execution": {"Id": "e-1"}, "State": {"Name": "S"}},
    {"v": {"w": 2}, "none": None, "list": [3, 4]},
    result={"Payload": {"ok": True}},
)


def evaluate(code: str, scope: Scope = SCOPE) -> object:
    return compile_expression(f"{{% {code} %}}", Language.JSONATA, "Output").evaluate(scope)


def source(code: str) -> Source:
    return Source(code, tokens_of(code))


ANSWERS = [
    ("1 + 2 * 3", 7),
    ("$states.input.a.b", [1, 2]),
    ("$states.input.one", [7]),
    ("$states.input.items.p", [1, 20]),
    ("$states.input.items[p > 10].n", "y"),
    ("$states.input.`a`.b[0]", 1),
    ("$states.result.Payload.ok", True),
    ("$states.context.Execution.Id & '-' & $states.context.State.Name", "e-1-S"),
    ("$states.context", SCOPE.context),
    ("$v.w + $sum($list)", 9),
    ("$none", None),
    ("null", None),
    ("[]", []),
    ("{'k': $v}", {"k": {"w": 2}}),
    ("$exists($nope) ? 'yes' : 'no'", "no"),
    ("$states.input.items.{'m': p}", [{"m": 1}, {"m": 20}]),
    ("$map($states.input.items, function($i){$i.p * 2})", [2, 40]),
    ("($x := 2; $x * $x)", 4),
    ("[1..3]", [1, 2, 3]),
    ("$reduce([1..4], function($i, $j){$i + $j})", 10),
    ("$contains('hello$world', /^hello\\$/)", True),
    ("$variable := 1", 1),
    ("$partition([1, 2, 3], 2)", [[1, 2], [3]]),
    ("$partition([0, 1], 5)", [[0, 1]]),
    ("$range(0, 10, 3)", [0, 3, 6, 9]),
    ("$range(1, 9, 9)", 1),
    ("$hash('a', 'MD5')", "0cc175b9c0f1b6a831c399e269772661"),
    ("$parse('{\"a\": [1]}')", {"a": [1]}),
    ("$parse('-0')", 0),
    ("$join(['a', 'b'], ', ')", "a, b"),
    ("$merge([$v, {'z': 1}])", {"w": 2, "z": 1}),
    ("/* a comment with $nope */ 1", 1),
]


@pytest.mark.parametrize(("code", "value"), ANSWERS, ids=[code for code, _ in ANSWERS])
def test_an_expression_answers(code: str, value: object) -> None:
    assert evaluate(code) == value


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("$nope", "returned nothing (undefined)."),
        ("$states.input.nope.deeper", "returned nothing (undefined)."),
        ("$states.errorOutput", "returned nothing (undefined)."),
        ("function($x){$x}", "returned an unsupported result type."),
        ("$sum", "returned an unsupported result type."),
        ("$nope(1)", "threw an error during evaluation. T1006: "),
        ("$uppercase(1)", "threw an error during evaluation. T0410: "),
        ("1 / 0", "threw an error during evaluation. D1001: "),
        ("'a' + 1", "threw an error during evaluation. T2001: "),
        ("$error('mine')", "threw an error during evaluation. D3137: mine"),
        ("$hash('a', 'MD4')", "threw an error during evaluation. "),
        ("$parse('{')", "threw an error during evaluation. "),
        ("$map([1], function($x){$x + 'a'})", "threw an error during evaluation. T2002: "),
        ("($f := function($n){1 + $f($n)}; $f(1))", "threw an error during evaluation. STACK"),
    ],
)
def test_a_failure_speaks_aws_words(code: str, words: str) -> None:
    with pytest.raises(Failure) as failure:
        evaluate(code)
    assert failure.value.error == QUERY
    assert failure.value.location == "Output"
    start = f"The JSONata expression '{code}' specified for the field 'Output' "
    assert failure.value.cause.startswith(start + words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("1 +", "S0207"),
        ("(1", "S0203"),
        ("$eval('1')", "$eval"),
        ("$f := $eval", "$eval"),
        ("+" * 10_000, "parts"),
        ("'" + "x" * 70_000 + "'", "characters"),
        ("(" * 1500 + "1" + ")" * 1500, "nested"),
    ],
)
def test_what_is_malformed_is_refused(code: str, words: str) -> None:
    with pytest.raises(Malformed, match=re.escape(words)):
        compile_expression(f"{{% {code} %}}", Language.JSONATA)


def test_a_malformed_place_is_told() -> None:
    with pytest.raises(Malformed) as malformed:
        compile_expression("{% $sum(1 %}", Language.JSONATA)
    assert malformed.value.offset >= 3


def test_a_number_too_big_for_the_library_fails() -> None:
    with pytest.raises(Failure) as failure:
        evaluate("$v + 1", Scope(None, {}, {"v": 2**80}))
    assert failure.value.error == QUERY


def test_a_plain_look_up_shares_the_value() -> None:
    scope = Scope({"big": {"list": [1]}}, {}, {"v": {"w": [2]}})
    assert evaluate("$states.input.big", scope) is scope.input["big"]
    assert evaluate("$v.w", scope) is scope.variables["v"]["w"]


@pytest.mark.parametrize(
    "code",
    ["$uuid()", "$random()", "$shuffle([1..50])", "$map([1..3], function($x){$random()})"],
)
def test_chance_comes_from_the_hooks(code: str) -> None:
    one, same, other = (evaluate(code, Scope(None, hooks=SeededHooks(seed))) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_time_comes_from_the_hooks() -> None:
    scope = Scope(None, hooks=SeededHooks(0, 1_600_000_000.5))
    assert evaluate("$millis()", scope) == 1_600_000_000_500
    assert evaluate("$now()", scope) == "2020-09-13T12:26:40.500Z"
    assert evaluate("$now('[Y0001]')", scope) == "2020"
    assert evaluate("$map([1], function($x){$millis()})", scope) == 1_600_000_000_500
    assert evaluate("$random(3)", scope) == evaluate("$random(3)", Scope(None))


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("$a + $b.c", {"a", "b"}),
        ("$states.input.$c", {"c"}),
        ("'$a' & \"$b\" & `$c`", set()),
        ("/* $a */ $contains($b, /$c/)", {"b"}),
        ("($x := $a; $x + $y)", {"a", "y"}),
        ("$map($a, function($v, $i){$v + $i + $k})", {"a", "k"}),
        ("$map($a, $uppercase)", {"a"}),
        ("λ($q){$q}", set()),
        ("$a / 2 / $b", {"a", "b"}),
        ("$$.x + $.y", set()),
        ("$sum.total", {"sum"}),
        ("$größe", {"größe"}),
    ],
)
def test_the_variables_are_known(code: str, names: set[str]) -> None:
    assert source(code).variables == names


@pytest.mark.parametrize(
    ("code", "parts"),
    [
        ("1", {}),
        ("$states.input.a.b + $states.input.c", {"input": {"a", "c"}}),
        ("$states.input.a + $count($states.input)", {"input": None}),
        ("$states.input[0].a", {"input": None}),
        ("$states.result.x & $states.context.y", {"result": {"x"}, "context": {"y"}}),
    ],
)
def test_only_what_is_named_is_handed_over(code: str, parts: dict[str, object]) -> None:
    assert source(code).states == parts


@pytest.mark.parametrize("code", ["$states", "$lookup($states, 'input')", "$states.*"])
def test_all_is_handed_over_where_all_can_be_seen(code: str) -> None:
    assert source(code).states == dict.fromkeys(["input", "context", "result", "errorOutput"])


@pytest.mark.parametrize(
    "code",
    [
        "$states.input.a.b > 3 and $v != 'x'",
        "$sum($states.input.items.price) + $count($list)",
        "$states.input.items[price > 10 and name in $names].name",
        "$states.input.items.{'id': id, 'n': $uppercase(name)}",
        "{'a': $a, 'b': [$b, $states.context.Execution.Id]}",
        "$join($states.input.names, ', ')",
        "$exists($x) ? $string($x) : 'none'",
        "$contains($a, /^x+\\.\\d$/i)",
        "$a and $b or not in $c",
        "$a / 2 / $b",
    ],
)
def test_ordinary_expressions_run_here(code: str) -> None:
    assert source(code).tame


@pytest.mark.parametrize(
    "code",
    [
        "function($x){$x}",
        "λ($x){$x}",
        "($a := 1; $a)",
        "[1..10]",
        "$pad('a', 1000)",
        "$replace($a, 'a', $a)",
        "$join($a, $b)",
        "$a.$a.$a",
        "$a.[$, $].[$, $]",
        "$a.($b)",
        "$a ~> $sum",
        "$map($a, $string)",
        "$string($string($string($a)))",
        "$distinct($a)",
        "$a.**",
        "$a@$b.c",
        "$a[$b[$c[$d[x]]]]",
        "$a[$split($t, '')[0] = 'x']",
        # What could be read in two ways.
        '($a":=[1..10]; $b")',
        '$a and"x"',
        "and /($a ~> $f)/ 2",
        "/\\\\(/ & [1..9] & /)/",
        "$contains($a, /'/)",
        "$a\u00a0'[1..9]'",
        "$$a",
        "$a|$b|{}|",
        "[" + ",".join(["$a"] * 17) + "]",
    ],
)
def test_whatever_can_grow_runs_in_the_helper(code: str) -> None:
    assert not source(code).tame


def test_threads_share_an_expression() -> None:
    expression = compile_expression("{% $v * 2 + $count([1, 2]) %}", Language.JSONATA)
    answers: list[object] = []

    def work() -> None:
        for number in range(200):
            answers.append(expression.evaluate(Scope(None, {}, {"v": number})) == number * 2 + 2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 800
