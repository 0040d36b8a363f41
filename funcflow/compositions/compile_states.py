"""One valid state of each type to its compiled dataclass.

Called by :mod:`funcflow.compositions.compile`, which hands in how to compile an inner
machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from funcflow.compositions import expressions
from funcflow.compositions.compile_fields import Fields
from funcflow.compositions.definition import (
    And,
    AnyState,
    Catcher,
    Choice,
    Comparison,
    Fail,
    ItemBatcher,
    ItemReader,
    Language,
    Machine,
    Map,
    Not,
    Or,
    Parallel,
    Pass,
    ResultWriter,
    Retrier,
    Rule,
    Setting,
    Succeed,
    Task,
    Test,
    Wait,
)
from funcflow.compositions.expressions import Expression
from funcflow.compositions.resources import data_action, parse_resource

Inner = Callable[[Mapping[str, Any]], Machine]


class _Common(TypedDict):
    """Keyword arguments every state takes."""

    name: str
    language: Language
    comment: str
    next: str | None
    input_path: Expression | None
    output_path: Expression | None
    output: Expression | None
    assign: Expression | None
    retry: tuple[Retrier, ...]
    catch: tuple[Catcher, ...]
    source: Mapping[str, Any]


def _common(name: str, fields: Fields) -> _Common:
    data = fields.data
    return {
        "name": name,
        "language": fields.language,
        "comment": data.get("Comment", ""),
        "next": data.get("Next"),
        "input_path": fields.path("InputPath"),
        "output_path": fields.path("OutputPath"),
        "output": fields.template("Output"),
        "assign": fields.template("Assign"),
        "retry": tuple(_retrier(one) for one in data.get("Retry", ())),
        "catch": tuple(_catcher(Fields(one, fields.language)) for one in data.get("Catch", ())),
        "source": data,
    }


def _retrier(data: Mapping[str, Any]) -> Retrier:
    return Retrier(
        errors=tuple(data["ErrorEquals"]),
        interval=data.get("IntervalSeconds", 1),
        max_attempts=data.get("MaxAttempts", 3),
        backoff=data.get("BackoffRate", 2.0),
        max_delay=data.get("MaxDelaySeconds"),
        jitter=data.get("JitterStrategy") == "FULL",
    )


def _catcher(fields: Fields) -> Catcher:
    return Catcher(
        errors=tuple(fields.data["ErrorEquals"]),
        next=fields.data["Next"],
        **fields.result_place(),
        output=fields.template("Output"),
        assign=fields.template("Assign"),
    )


def _task(name: str, fields: Fields, _: Inner) -> Task:
    return Task(
        **_common(name, fields),
        **fields.result_place(),
        arguments=fields.template("Arguments", "Parameters"),
        result_selector=fields.template("ResultSelector"),
        resource=parse_resource(fields.data["Resource"]),
        timeout=fields.setting("TimeoutSeconds"),
        heartbeat=fields.setting("HeartbeatSeconds"),
        credentials=fields.template("Credentials"),
    )


def _pass(name: str, fields: Fields, _: Inner) -> Pass:
    return Pass(
        **_common(name, fields),
        **fields.result_place(),
        arguments=fields.template("Parameters"),
        result=fields.data.get("Result"),
        has_result="Result" in fields.data,
    )


def _wait(name: str, fields: Fields, _: Inner) -> Wait:
    return Wait(
        **_common(name, fields),
        seconds=fields.setting("Seconds"),
        timestamp=fields.setting("Timestamp"),
    )


def _succeed(name: str, fields: Fields, _: Inner) -> Succeed:
    return Succeed(**_common(name, fields))


def _fail(name: str, fields: Fields, _: Inner) -> Fail:
    return Fail(
        **_common(name, fields), error=fields.setting("Error"), cause=fields.setting("Cause")
    )


def _choice(name: str, fields: Fields, _: Inner) -> Choice:
    return Choice(
        **_common(name, fields),
        rules=tuple(_rule(Fields(rule, fields.language)) for rule in fields.data["Choices"]),
        default=fields.data.get("Default"),
    )


def _rule(fields: Fields) -> Rule:
    test: Test
    if fields.language == "JSONPath":
        test = _test(fields.data)
    else:
        test = fields.setting("Condition") or Setting("Condition", False)
    return Rule(
        test=test,
        next=fields.data["Next"],
        output=fields.template("Output"),
        assign=fields.template("Assign"),
    )


def _test(data: Mapping[str, Any]) -> Test:
    if "And" in data:
        return And(tuple(_test(one) for one in data["And"]))
    if "Or" in data:
        return Or(tuple(_test(one) for one in data["Or"]))
    if "Not" in data:
        return Not(_test(data["Not"]))
    others = ("Variable", "Next", "Comment", "Assign")
    operator = next(name for name in data if name not in others)
    variable = expressions.compile_path(data["Variable"])
    if operator.endswith("Path"):
        path = expressions.compile_path(data[operator])
        return Comparison(variable, operator.removesuffix("Path"), None, path)
    return Comparison(variable, operator, data[operator])


def _parallel(name: str, fields: Fields, inner: Inner) -> Parallel:
    return Parallel(
        **_common(name, fields),
        **fields.result_place(),
        arguments=fields.template("Arguments", "Parameters"),
        result_selector=fields.template("ResultSelector"),
        branches=tuple(inner(branch) for branch in fields.data["Branches"]),
    )


def _map(name: str, fields: Fields, inner: Inner) -> Map:
    data = fields.data
    processor = data.get("ItemProcessor") or data["Iterator"]
    config = processor.get("ProcessorConfig", {})
    return Map(
        **_common(name, fields),
        **fields.result_place(),
        result_selector=fields.template("ResultSelector"),
        processor=inner(processor),
        items=fields.items(),
        item_selector=fields.template("ItemSelector", "Parameters"),
        distributed=config.get("Mode") == "DISTRIBUTED",
        execution_type=config.get("ExecutionType", "STANDARD"),
        max_concurrency=fields.setting("MaxConcurrency"),
        tolerated_failure_count=fields.setting("ToleratedFailureCount"),
        tolerated_failure_percentage=fields.setting("ToleratedFailurePercentage"),
        label=data.get("Label", ""),
        reader=_reader(fields.inside("ItemReader")),
        batcher=_batcher(fields.inside("ItemBatcher")),
        writer=_writer(fields.inside("ResultWriter")),
    )


def _reader(fields: Fields | None) -> ItemReader | None:
    if fields is None:
        return None
    config = fields.inside("ReaderConfig") or Fields({}, fields.language)
    return ItemReader(
        action=data_action(fields.data["Resource"]),
        arguments=fields.template("Arguments", "Parameters"),
        input_type=config.data.get("InputType", ""),
        csv_header_location=config.data.get("CSVHeaderLocation", "FIRST_ROW"),
        csv_headers=tuple(config.data.get("CSVHeaders", ())),
        csv_delimiter=config.data.get("CSVDelimiter", "COMMA"),
        max_items=config.setting("MaxItems"),
        items_pointer=config.data.get("ItemsPointer", ""),
        manifest_type=config.data.get("ManifestType", ""),
        transformation=config.data.get("Transformation", "NONE"),
    )


def _batcher(fields: Fields | None) -> ItemBatcher | None:
    if fields is None:
        return None
    return ItemBatcher(
        max_items=fields.setting("MaxItemsPerBatch"),
        max_bytes=fields.setting("MaxInputBytesPerBatch"),
        batch_input=fields.template("BatchInput"),
    )


def _writer(fields: Fields | None) -> ResultWriter | None:
    if fields is None:
        return None
    config = fields.data.get("WriterConfig", {})
    return ResultWriter(
        action=data_action(fields.data["Resource"]) if "Resource" in fields.data else "",
        arguments=fields.template("Arguments", "Parameters"),
        transformation=config.get("Transformation", "NONE"),
        output_type=config.get("OutputType", "JSON"),
    )


#: Type -> what compiles it.
STATES: Mapping[str, Callable[[str, Fields, Inner], AnyState]] = {
    "Task": _task,
    "Pass": _pass,
    "Wait": _wait,
    "Succeed": _succeed,
    "Fail": _fail,
    "Choice": _choice,
    "Parallel": _parallel,
    "Map": _map,
}
