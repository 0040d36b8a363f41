"""Definitions become dataclasses with everything compiled and defaults left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funcflow.compositions import definition as d
from funcflow.compositions.compile import compile_definition, parse, parse_state, problems
from funcflow.compositions.expressions import Expression, Scope
from funcflow.compositions.problems import Invalid
from funcflow.compositions.resources import Kind
from funcflow.compositions.validate import tables

INNER = {"StartAt": "I", "States": {"I": {"Type": "Succeed"}}}


def value_of(expression: Expression | None, data: Any = None, **variables: Any) -> Any:
    assert expression is not None
    return expression.evaluate(Scope(data, {}, variables))


def state(**fields: Any) -> d.AnyState:
    return parse_state(fields, "S")


def test_text_and_data_give_the_same() -> None:
    text = "StartAt: A\nStates:\n  A: {Type: Wait, Seconds: 5, Next: B}\n  B: {Type: Succeed}\n"
    data = {
        "StartAt": "A",
        "States": {"A": {"Type": "Wait", "Seconds": 5, "Next": "B"}, "B": {"Type": "Succeed"}},
    }
    assert parse(text) == parse(data) == compile_definition(data)
    wait = parse(text).states["A"]
    assert isinstance(wait, d.Wait)
    assert (wait.next, wait.seconds) == ("B", d.Setting("Seconds", 5))


def test_invalid_has_every_problem_and_warnings_alone_do_not_stop() -> None:
    with pytest.raises(Invalid) as caught:
        parse({"StartAt": "A", "States": {"A": {"Type": "Pass"}}})
    assert {problem.code for problem in caught.value.problems} == {"no_end", "missing_field"}
    data = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True, "InputPath": "$x"}}}
    assert [problem.severity for problem in problems(data)] == ["warning"]
    assert parse(data).variable_references == {"A": ("x",)}


def test_problems_of_text_that_is_no_definition() -> None:
    assert [problem.code for problem in problems("{")] == ["syntax"]


def test_defaults_are_nothing() -> None:
    made = state(Type="Pass", InputPath="$", OutputPath="$", ResultPath="$", End=True)
    assert made == d.Pass(name="S")


def test_paths_and_null_paths() -> None:
    made = state(Type="Pass", InputPath="$.a", OutputPath=None, ResultPath="$.r", Next="X")
    assert value_of(made.input_path, {"a": 1}) == 1
    assert value_of(made.output_path, {"a": 1}) == {}
    assert made.result_path is not None
    assert made.result_path.put({"a": 1}, 2) == {"a": 1, "r": 2}
    assert made.next == "X"
    assert state(Type="Pass", ResultPath=None, End=True).discard


def test_a_null_result_is_a_result() -> None:
    made = state(Type="Pass", Result=None, End=True)
    assert isinstance(made, d.Pass)
    assert (made.has_result, made.result) == (True, None)


def test_task() -> None:
    made = state(
        Type="Task",
        Resource="resize:stable",
        Parameters={"a.$": "$.b"},
        ResultSelector={"c.$": "$.d"},
        TimeoutSecondsPath="$.t",
        HeartbeatSeconds=5,
        Credentials={"RoleArn.$": "$.r"},
        Retry=[{"ErrorEquals": ["E", "F"]}, {"ErrorEquals": ["G"], "JitterStrategy": "FULL"}],
        Catch=[{"ErrorEquals": ["E"], "Next": "X", "ResultPath": "$.e", "Assign": {"v": 1}}],
        End=True,
    )
    assert isinstance(made, d.Task)
    assert (made.resource.kind, made.resource.qualifier) == (Kind.FUNCTION, "stable")
    assert value_of(made.arguments, {"b": 1}) == {"a": 1}
    assert value_of(made.result_selector, {"d": 1}) == {"c": 1}
    assert value_of(made.credentials, {"r": "R"}) == {"RoleArn": "R"}
    assert made.timeout is not None
    assert made.timeout.field == "TimeoutSecondsPath"
    assert value_of(made.timeout.expression, {"t": 7}) == 7
    assert made.heartbeat == d.Setting("HeartbeatSeconds", 5)
    assert made.retry == (d.Retrier(("E", "F"), 1, 3, 2.0, None, False),
                          d.Retrier(("G",), jitter=True))  # fmt: skip
    (catcher,) = made.catch
    assert (catcher.errors, catcher.next, catcher.discard) == (("E",), "X", False)
    assert value_of(catcher.assign) == {"v": 1}


def test_jsonata_and_yaql_settings() -> None:
    made = state(Type="Wait", QueryLanguage="JSONata", Seconds="{% $n + 1 %}", End=True)
    assert isinstance(made, d.Wait)
    assert made.seconds is not None
    assert value_of(made.seconds.expression, None, n=1) == 2
    made = state(Type="Pass", QueryLanguage="YAQL", Output={"a": "<% $.b %>"}, End=True)
    assert value_of(made.output, {"b": 3}) == {"a": 3}


def test_choice() -> None:
    made = state(
        Type="Choice",
        Choices=[
            {
                "And": [
                    {"Variable": "$.a", "NumericLessThanPath": "$v"},
                    {"Not": {"Variable": "$.b", "IsPresent": True}},
                    {"Or": [{"Variable": "$.c", "StringMatches": "x*"}]},
                ],
                "Next": "X",
                "Comment": "c",
                "Assign": {"w": 1},
            }
        ],
        Default="Y",
        Assign={"w": 2},
    )
    assert isinstance(made, d.Choice)
    (rule,) = made.rules
    assert isinstance(rule.test, d.And)
    first, second, third = rule.test.tests
    assert isinstance(first, d.Comparison)
    assert first.operator == "NumericLessThan"
    assert value_of(first.path, {}, v=4) == 4
    assert isinstance(second, d.Not)
    assert isinstance(third, d.Or)
    (match,) = third.tests
    assert isinstance(match, d.Comparison)
    assert (match.operator, match.literal, match.path) == ("StringMatches", "x*", None)
    assert value_of(rule.assign) == {"w": 1}
    assert value_of(made.assign) == {"w": 2}
    made = state(Type="Choice", QueryLanguage="JSONata", Choices=[{"Condition": True, "Next": "X"}])
    assert isinstance(made, d.Choice)
    assert made.rules[0].test == d.Setting("Condition", True)


def test_map() -> None:
    processor = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"}}
    made = state(
        Type="Map",
        ItemsPath="$.a",
        ItemSelector={"v.$": "$$.Map.Item.Value"},
        ItemProcessor=processor,
        MaxConcurrency=4,
        ToleratedFailurePercentagePath="$.p",
        Label="l",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "Parameters": {"Bucket": "b", "Key.$": "$.k"},
            "ReaderConfig": {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["a", "b"],
                "MaxItems": 9,
            },
        },
        ItemBatcher={"MaxItemsPerBatch": 3, "MaxInputBytesPerBatchPath": "$.m"},
        ResultWriter={"WriterConfig": {"Transformation": "COMPACT", "OutputType": "JSONL"}},
        End=True,
    )
    assert isinstance(made, d.Map)
    assert (made.distributed, made.execution_type, made.label) == (True, "EXPRESS", "l")
    assert made.items is not None
    assert value_of(made.items.expression, {"a": [1]}) == [1]
    assert made.max_concurrency == d.Setting("MaxConcurrency", 4)
    assert made.reader is not None
    assert (made.reader.action, made.reader.csv_headers) == ("s3:getObject", ("a", "b"))
    assert value_of(made.reader.arguments, {"k": "K"}) == {"Bucket": "b", "Key": "K"}
    assert made.batcher is not None
    assert made.batcher.max_items == d.Setting("MaxItemsPerBatch", 3)
    assert made.writer == d.ResultWriter("", None, "COMPACT", "JSONL")
    assert isinstance(made.processor.states["I"], d.Succeed)


def test_items_of_jsonata() -> None:
    def items(value: Any) -> d.Setting | None:
        made = state(
            Type="Map", QueryLanguage="JSONata", Items=value, ItemProcessor=INNER, End=True
        )
        assert isinstance(made, d.Map)
        return made.items

    assert items([1, 2]) == d.Setting("Items", [1, 2])
    mixed = items([1, "{% $x %}"])
    assert mixed is not None
    assert value_of(mixed.expression, None, x=2) == [1, 2]


def test_all_states_are_listed_with_what_they_read() -> None:
    made = parse(
        {
            "StartAt": "P",
            "TimeoutSeconds": 60,
            "States": {
                "P": {
                    "Type": "Parallel",
                    "Branches": [
                        {
                            "StartAt": "Q",
                            "States": {
                                "Q": {
                                    "Type": "Map",
                                    "ItemsPath": "$list",
                                    "Iterator": INNER,
                                    "Retry": [{"ErrorEquals": ["E"]}],
                                    "Catch": [
                                        {
                                            "ErrorEquals": ["E"],
                                            "Next": "Z",
                                            "Assign": {"y.$": "$x.a"},
                                        }
                                    ],
                                    "End": True,
                                },
                                "Z": {"Type": "Fail", "CausePath": "States.Format('{}', $y)"},
                            },
                        }
                    ],
                    "End": True,
                }
            },
        }
    )
    assert set(made.states) == {"P", "Q", "Z", "I"}
    assert made.machine.timeout == 60
    assert made.variable_references == {"Q": ("list", "x"), "Z": ("y",)}


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats(-2, 2)
    | st.sampled_from(["$.a", "$", "A", "B", "{% 1 %}", "States.UUID()", "f", "", "<% $ %>"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["a", "a.$", "Next", "Variable", "Not", "ErrorEquals",
                                       "StartAt", "States", "IsNull", "ProcessorConfig"]),
                      inner, max_size=4),
    max_leaves=6,
)  # fmt: skip
NAMES = sorted(set().union(*tables.BOTH.values(), *tables.PATH.values(), *tables.QUERY.values()))
STATES = st.builds(
    lambda type_, fields: {"Type": type_, **fields},
    st.sampled_from(tables.TYPES),
    st.dictionaries(
        st.sampled_from(NAMES),
        ANY | st.sampled_from([True, INNER, [INNER], ["E"], [{"ErrorEquals": ["E"]}]]),
        max_size=8,
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from("ABC"), STATES | ANY, max_size=3), ANY)
def test_anything_is_judged_and_what_is_good_compiles(states: Any, extra: Any) -> None:
    data = {"StartAt": "A", "States": states, "Comment": extra}
    found = problems(data)
    if not [problem for problem in found if problem.severity == "error"]:
        assert parse(data).states
    assert all(problem.message and problem.code for problem in found)


@settings(max_examples=300, deadline=None)
@given(STATES)
def test_any_single_state_is_judged(data: Any) -> None:
    definition = {"StartAt": "S", "States": {"S": data, "Z": {"Type": "Fail"}}}
    errors = {p.pointer for p in problems(definition) if p.severity == "error"}
    if not any(pointer.startswith("/States/S") for pointer in errors):
        assert parse_state(data, "S").name == "S"


#: Most of the language in one definition, for mutations to start from.
RICH: dict[str, Any] = {
    "StartAt": "Read",
    "States": {
        "Read": {
            "Type": "Task",
            "Resource": "read:stable",
            "Parameters": {"a.$": "States.Format('{}', $.b)", "c": [{"d.$": "$$.Execution.Id"}]},
            "ResultPath": "$.r",
            "TimeoutSeconds": 60,
            "HeartbeatSecondsPath": "$.h",
            "Retry": [{"ErrorEquals": ["E"], "MaxAttempts": 2, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Sorry", "Assign": {"e.$": "$"}}],
            "Assign": {"x.$": "$.Payload"},
            "Next": "Which",
        },
        "Which": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [
                        {"Variable": "$x", "NumericLessThan": 5},
                        {"Not": {"Variable": "$.b", "StringEqualsPath": "$.c"}},
                    ],
                    "Next": "Wide",
                }
            ],
            "Default": "Later",
        },
        "Later": {"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% $x %}", "Next": "All"},
        "Wide": {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "Parameters": {"Bucket": "b", "Key.$": "$.k"},
                "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
            },
            "ItemBatcher": {"MaxItemsPerBatch": 10},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
                "StartAt": "One",
                "States": {"One": {"Type": "Pass", "Result": {"ok": True}, "End": True}},
            },
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject"},
            "ToleratedFailurePercentage": 5.5,
            "Next": "All",
        },
        "All": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "Left", "States": {"Left": {"Type": "Succeed"}}}],
            "End": True,
        },
        "Sorry": {"Type": "Fail", "ErrorPath": "$e.Error", "Cause": "sorry"},
    },
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to every value within."""
    inner: list[Any] = []
    if isinstance(value, dict):
        inner = list(value)
    elif isinstance(value, list):
        inner = list(range(len(value)))
    return [path, *(each for key in inner for each in places(value[key], (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    made = value.copy()
    made[path[0]] = changed(value[path[0]], path[1:], new)
    return made


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def test_the_rich_definition_is_good() -> None:
    assert problems(RICH) == ()


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(places(RICH)), st.sampled_from(places(RICH)) | ANY)
def test_any_change_is_judged_and_what_is_good_compiles(path: Any, new: Any) -> None:
    """A value becomes another one, made up or taken from elsewhere in the definition."""
    new = at(RICH, new) if isinstance(new, tuple) else new
    data = changed(RICH, path, new)
    if not isinstance(data, dict):
        return
    found = problems(json.dumps(data, indent=1))
    assert all(problem.line for problem in found)
    if not [problem for problem in found if problem.severity == "error"]:
        assert parse(data).states
