"""Intrinsic functions: answers, refusals at creation, failures at run time."""

from __future__ import annotations

import pytest

from funcflow.compositions.expressions import (
    Language,
    Limits,
    Malformed,
    Scope,
    SeededHooks,
    compile_expression,
)
from funcflow.compositions.failures import DATA_LIMIT, INTRINSIC, RUNTIME, Failure

SCOPE = Scope(
    {"a": [1, 2, 2, "2", True, 1.0, {"x": 1}, {"x": 1.0}], "o": {"k": [1, "t", None]}, "t": "it's"},
    {"Execution": {"Name": "run"}},
    {"n": 5},
)

ANSWERS = [
    ("States.Format('')", ""),
    ("States.Format('a {} b {}', 1, 'x')", "a 1 b x"),
    ("States.Format('{}', $.o)", "{k=[1, t, null]}"),
    ("States.Format('{} {} {}', null, true, 1.5)", "null true 1.5"),
    (r"States.Format('\{{}\} \'{}\' \\', 1, 2)", "{1} '2' \\"),
    ("States.Format($.t)", "it's"),
    ("States.Format('{}', $$.Execution.Name)", "run"),
    ("States.Format('{}', $n)  ", "5"),
    ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
    ("States.StringToJson('')", None),
    ("States.StringToJson(' ')", None),
    ("States.StringToJson('-0')", 0),
    ("States.JsonToString($.o)", '{"k":[1,"t",null]}'),
    ("States.JsonToString('é')", '"é"'),
    ("States.Array()", []),
    (r"States.Array('\{\'\\\}')", ["{'\\}"]),
    ("States.Array(1, 'a', null, false, -2.5, $.t)", [1, "a", None, False, -2.5, "it's"]),
    ("States.ArrayPartition($.o.k, 2)", [[1, "t"], [None]]),
    ("States.ArrayPartition(States.Array(), 4)", []),
    ("States.ArrayContains($.a, 2.0)", True),
    ("States.ArrayContains($.a, false)", False),
    ("States.ArrayContains(States.Array(1), true)", False),
    ("States.ArrayRange(1, 9, 3)", [1, 4, 7]),
    ("States.ArrayRange(9, -1, -2)", [9, 7, 5, 3, 1, -1]),
    ("States.ArrayRange(1, 9, -2)", []),
    ("States.ArrayGetItem($.o.k, 1)", "t"),
    ("States.ArrayLength($.a)", 8),
    ("States.ArrayUnique($.a)", [1, 2, "2", True, {"x": 1}]),
    ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
    ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", "Data to encode"),
    ("States.Hash('input data', 'MD5')", "812f45842bc6d66ee14572ce20db8e86"),
    ("States.Hash('', 'SHA-1')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    (
        'States.JsonMerge(States.StringToJson(\'{"a":1,"b":1}\'), $.o, false)',
        {"a": 1, "b": 1, "k": [1, "t", None]},
    ),
    ("States.MathAdd(111, -1)", 110),
    ("States.MathAdd(1.5, 1.51)", 4),
    ("States.MathAdd(-1.5, -2.5)", -3),
    ("States.StringSplit('1,2;3', ',;')", ["1", "2", "3"]),
    ("States.StringSplit(',,a', ',')", ["a"]),
    ("States.StringSplit(' , ', ',')", [" ", " "]),
    ("States.StringSplit('a]b^c', ']^')", ["a", "b", "c"]),
    ("States.ArrayGetItem(States.StringSplit('a-b', '-'), States.MathAdd(0, 1))", "b"),
]


@pytest.mark.parametrize(("text", "value"), ANSWERS, ids=[text for text, _ in ANSWERS])
def test_a_function_answers(text: str, value: object) -> None:
    answer = compile_expression(text, Language.JSONPATH).evaluate(SCOPE)
    assert answer == value
    assert type(answer) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "States.Nothing()",
        "States.Format()",
        "States.ArrayLength()",
        "States.ArrayLength($.a, 1)",
        "States.UUID(1)",
        "States.Array(1",
        "States.Array(1 2)",
        "States.Array(1,)",
        'States.Array("double")',
        "States.Array('open)",
        r"States.Array('\n')",
        r"States.StringToJson('{\"a\": 1}')",
        "States.Array(x)",
        "States.Array(1e999)",
        "States.Array(1) + 1",
        "States. ",
        "States.Array($.a[)",
        "States.Array(" * 11 + ")" * 11,
        "States.Format('" + "x" * 11_000 + "')",
    ],
)
def test_what_is_no_function_is_refused_at_creation(text: str) -> None:
    with pytest.raises(Malformed):
        compile_expression(text, Language.JSONPATH)


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{}')",
        "States.Format('', 1)",
        "States.Format(1)",
        "States.StringToJson('{')",
        "States.StringToJson('NaN')",
        "States.StringToJson('1e999')",
        "States.StringToJson(5)",
        "States.ArrayPartition($.a, 0)",
        "States.ArrayPartition($.a, 'x')",
        "States.ArrayPartition('a', 1)",
        "States.ArrayContains('a', 1)",
        "States.ArrayRange(1, 2, 0)",
        "States.ArrayRange(1, 1001, 1)",
        "States.ArrayRange(1.5, 9, 2)",
        "States.ArrayRange('1', 9, 2)",
        "States.ArrayRange(1, 1000000000000, 1)",
        "States.ArrayGetItem($.a, 8)",
        "States.ArrayGetItem($.a, -1)",
        "States.ArrayGetItem('a', 0)",
        "States.ArrayLength('a')",
        "States.ArrayUnique(1)",
        "States.Base64Encode(1)",
        "States.Base64Decode('a*')",
        "States.Base64Decode('/w==')",
        "States.Hash(null, 'MD5')",
        "States.Hash('a', 'SHA-200')",
        "States.Hash('a', 1)",
        "States.JsonMerge($.o, $.o, true)",
        "States.JsonMerge($.o, $.a, false)",
        "States.MathRandom(2, 2)",
        "States.MathRandom('a', 2)",
        "States.MathAdd('1', 2)",
        "States.MathAdd(true, 2)",
        "States.MathAdd(2147483647, 1)",
        "States.StringSplit(1, ',')",
    ],
)
def test_wrong_arguments_fail(text: str) -> None:
    with pytest.raises(Failure) as failure:
        compile_expression(text, Language.JSONPATH).evaluate(SCOPE)
    assert failure.value.error == INTRINSIC


def test_an_argument_that_is_not_there_fails() -> None:
    with pytest.raises(Failure) as failure:
        compile_expression("States.Array($.nope)", Language.JSONPATH).evaluate(SCOPE)
    assert failure.value.error == RUNTIME


def test_random_answers_come_from_the_hooks_alone() -> None:
    texts = ["States.UUID()", "States.MathRandom(1, 1000000)"]
    for text in texts:
        expression = compile_expression(text, Language.JSONPATH)
        one, same, other = (
            expression.evaluate(Scope(None, hooks=SeededHooks(seed))) for seed in (1, 1, 2)
        )
        assert one == same
        assert one != other
    seeded = compile_expression("States.MathRandom(0, 999, 3)", Language.JSONPATH)
    assert seeded.evaluate(Scope(None, hooks=SeededHooks(1))) == seeded.evaluate(SCOPE)


def test_random_numbers_stay_in_their_range() -> None:
    expression = compile_expression("States.MathRandom(3, 6)", Language.JSONPATH)
    scope = Scope(None, hooks=SeededHooks(7))
    assert {expression.evaluate(scope) for _ in range(200)} == {3, 4, 5}


def test_the_variables_of_all_arguments_are_known() -> None:
    expression = compile_expression(
        "States.Array($a, States.Format('{}', $b.c), '$d', $.e)", Language.JSONPATH
    )
    assert expression.variables == {"a", "b"}


@pytest.mark.parametrize(
    "text",
    [
        "States.JsonToString(States.Array($, $, $, $))",
        "States.Format('{}{}{}{}', $, $, $, $)",
        "States.Format('{}{}', $.t, States.JsonToString($.t))",
    ],
)
def test_a_function_cannot_make_much_of_little(text: str) -> None:
    scope = Scope({"t": "x" * 400}, limits=Limits(output=1000))
    expression = compile_expression(text, Language.JSONPATH)
    assert expression.evaluate(Scope({"t": "x" * 100}, limits=Limits(output=1000)))
    with pytest.raises(Failure) as failure:
        compile_expression(
            f"States.Array({text}, {text})".replace(
                "States.Array", "States.JsonToString(States.Array", 1
            )
            + ")",
            Language.JSONPATH,
        ).evaluate(scope)
    assert failure.value.error == DATA_LIMIT
