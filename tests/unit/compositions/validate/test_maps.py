"""Map states, inline and distributed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.compositions.validate.build import Found, of_state

INNER = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
INLINE = {"Type": "Map", "ItemProcessor": INNER, "Next": "B"}
WIDE = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
DISTRIBUTED = {**INLINE, "ItemProcessor": {**INNER, "ProcessorConfig": WIDE}}
GET, LIST = "arn:aws:states:::s3:getObject", "arn:aws:states:::s3:listObjectsV2"
PUT = "arn:aws:states:::s3:putObject"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ItemsPath": "$.a", "ItemSelector": {"v.$": "$$.Map.Item.Value"}}, set()),
        ({"ItemsPath": "a"}, {("bad_path", "/ItemsPath")}),
        ({"Parameters": {}, "ItemSelector": {}}, {("conflict", "/Parameters")}),
        ({"ItemSelector": {"v.$": "x"}}, {("bad_expression", "/ItemSelector/v.$")}),
        ({"MaxConcurrency": 0}, set()),
        ({"MaxConcurrency": -1}, {("bad_value", "/MaxConcurrency")}),
        ({"MaxConcurrencyPath": "$.a"}, set()),
        ({"MaxConcurrency": 1, "MaxConcurrencyPath": "$.a"}, {("conflict", "/MaxConcurrencyPath")}),
        ({"Iterator": INNER}, {("conflict", "/Iterator")}),
        ({"ItemProcessor": 1}, {("wrong_type", "/ItemProcessor")}),
        (
            {"ItemProcessor": {"ProcessorConfig": {}}},
            {("missing_field", "/ItemProcessor")},
        ),
        (
            {"ItemProcessor": {**INNER, "ProcessorConfig": {"Mode": "WIDE"}}},
            {("bad_value", "/ItemProcessor/ProcessorConfig/Mode")},
        ),
        (
            {"ItemProcessor": {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED"}}},
            {("missing_field", "/ItemProcessor/ProcessorConfig")},
        ),
        (
            {"ItemProcessor": {**INNER, "ProcessorConfig": {"ExecutionType": "EXPRESS"}}},
            {("conflict", "/ItemProcessor/ProcessorConfig/ExecutionType")},
        ),
        ({"Label": "l"}, {("conflict", "/Label")}),
        (
            {"ItemReader": {"Resource": GET}, "ItemBatcher": {"MaxItemsPerBatch": 1}},
            {("conflict", "/ItemReader"), ("conflict", "/ItemBatcher")},
        ),
    ],
)
def test_inline(fields: dict[str, Any], expected: Found) -> None:
    assert of_state({**INLINE, **fields}) == expected


def test_the_old_name_of_the_processor() -> None:
    assert of_state({"Type": "Map", "Iterator": INNER, "Next": "B"}) == set()
    assert of_state({"Type": "Map", "Next": "B"}) == {("missing_field", "")}


def test_an_inline_map_tolerates_nothing() -> None:
    state = {**INLINE, "ToleratedFailureCount": 1}
    assert of_state(state) == set()
    assert of_state(state, severity="warning") == {("conflict", "/ToleratedFailureCount")}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([1, "{% $x %}"], set()),
        ("{% $states.input.items %}", set()),
        ({"a": 1}, set()),
        ("text", {("wrong_type", "/Items")}),
        (5, {("wrong_type", "/Items")}),
        ("{% 1 + %}", {("bad_expression", "/Items")}),
    ],
)
def test_items_of_jsonata(items: Any, expected: Found) -> None:
    assert of_state({**INLINE, "QueryLanguage": "JSONata", "Items": items}) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Label": "x" * 40, "ToleratedFailureCount": 1}, set()),
        ({"Label": ""}, {("bad_value", "/Label")}),
        ({"Label": "x" * 41}, {("bad_value", "/Label")}),
        ({"Label": "a b"}, {("bad_value", "/Label")}),
        ({"Label": "a\x9f"}, {("bad_value", "/Label")}),
        ({"ToleratedFailurePercentage": 12.5}, set()),
        ({"ToleratedFailurePercentage": 100.5}, {("bad_value", "/ToleratedFailurePercentage")}),
        ({"ToleratedFailurePercentage": -1}, {("bad_value", "/ToleratedFailurePercentage")}),
        ({"ToleratedFailurePercentage": "1"}, {("wrong_type", "/ToleratedFailurePercentage")}),
        ({"ToleratedFailureCountPath": "$.a"}, set()),
        ({"ItemBatcher": {"MaxItemsPerBatch": 1, "BatchInput": {"a.$": "$.a"}}}, set()),
        ({"ItemBatcher": {}}, {("missing_field", "/ItemBatcher")}),
        (
            {"ItemBatcher": {"MaxInputBytesPerBatch": 262_145}},
            {("bad_value", "/ItemBatcher/MaxInputBytesPerBatch")},
        ),
        ({"ResultWriter": {"Resource": PUT, "Parameters": {"Bucket": "b"}}}, set()),
        ({"ResultWriter": {}}, {("missing_field", "/ResultWriter")}),
        ({"ResultWriter": {"Resource": GET}}, {("bad_resource", "/ResultWriter/Resource")}),
        (
            {"ResultWriter": {"WriterConfig": {"Transformation": "X"}}},
            {
                ("missing_field", "/ResultWriter/WriterConfig"),
                ("bad_value", "/ResultWriter/WriterConfig/Transformation"),
            },
        ),
    ],
)
def test_distributed(fields: dict[str, Any], expected: Found) -> None:
    assert of_state({**DISTRIBUTED, **fields}) == expected


CSV = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}


@pytest.mark.parametrize(
    ("reader", "expected"),
    [
        ({"Resource": LIST, "Parameters": {"Bucket.$": "$.b", "Prefix": "p"}}, set()),
        ({}, {("missing_field", "")}),
        ({"Resource": PUT}, {("bad_resource", "/Resource")}),
        ({"Resource": "f"}, {("bad_resource", "/Resource")}),
        ({"Resource": GET, "Arguments": {}}, {("unknown_field", "/Arguments")}),
        ({"Resource": GET, "ReaderConfig": {**CSV, "MaxItems": 5}}, set()),
        ({"Resource": GET, "ReaderConfig": {**CSV, "MaxItemsPath": "$.n"}}, set()),
        ({"Resource": GET, "ReaderConfig": {"InputType": "XML"}},
         {("bad_value", "/ReaderConfig/InputType")}),
        ({"Resource": GET, "ReaderConfig": {"InputType": "CSV"}},
         {("missing_field", "/ReaderConfig")}),
        ({"Resource": GET, "ReaderConfig": {**CSV, "CSVHeaderLocation": "GIVEN"}},
         {("missing_field", "/ReaderConfig")}),
        ({"Resource": GET, "ReaderConfig": {**CSV, "CSVHeaders": ["a"]}},
         {("conflict", "/ReaderConfig/CSVHeaders")}),
        ({"Resource": GET, "ReaderConfig": {**CSV, "MaxItems": -1}},
         {("bad_value", "/ReaderConfig/MaxItems")}),
    ],
)  # fmt: skip
def test_readers(reader: dict[str, Any], expected: Found) -> None:
    found = of_state({**DISTRIBUTED, "ItemReader": reader})
    assert {(code, pointer.removeprefix("/ItemReader")) for code, pointer in found} == expected


def test_express() -> None:
    """An EXPRESS execution starts no children, and children may be EXPRESS ones."""
    assert of_state(DISTRIBUTED, "EXPRESS") == {("not_express", "/ItemProcessor")}
    assert of_state(INLINE, "EXPRESS") == set()
    task = {"Type": "Task", "Resource": "funcflow:approval", "End": True}
    for kind, expected in (
        ("STANDARD", set()),
        ("EXPRESS", {("not_express", "/ItemProcessor/States/I/Resource")}),
    ):
        processor = {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind},
            "StartAt": "I",
            "States": {"I": task},
        }
        assert of_state({**INLINE, "ItemProcessor": processor}) == expected
