"""Checks of what is special to a Map state."""

from __future__ import annotations

import re
from typing import NamedTuple

from funcflow.compositions.resources import BadResource, data_action
from funcflow.compositions.validate import expressions, fields
from funcflow.compositions.validate.node import Node

#: A Label becomes part of the child executions' names.
_BAD_IN_LABEL = re.compile(r"""[\s?*<>{}\[\]:;,\\|^~$#%&`"/\x00-\x1f\x7f-\x9f]""")
_LONGEST_LABEL = 40

_READERS = ("s3:getObject", "s3:listObjectsV2")
_READER_CONFIG = {"InputType", "CSVHeaderLocation", "CSVHeaders", "CSVDelimiter", "MaxItems"}
_READER_CONFIG |= {"ItemsPointer", "ManifestType", "Transformation"}
_LARGEST = 100_000_000

#: Fields that only a distributed Map has.
_DISTRIBUTED = ("ItemReader", "ItemBatcher", "ResultWriter", "Label")
_TOLERATED = ("ToleratedFailureCount", "ToleratedFailurePercentage")


class Processor(NamedTuple):
    """The inner machine, and how it runs."""

    machine: Node
    distributed: bool


def check(node: Node) -> Processor | None:
    """Everything but the inner machine, which is returned."""
    _items(node)
    _bounds(node)
    _label(node)
    _reader(node)
    _batcher(node)
    _writer(node)
    processor = _processor(node)
    if processor is None:
        return None
    if not processor.distributed:
        _inline(node)
    elif node.express:
        processor.machine.problem(
            "not_express", "The EXPRESS type has no distributed Map", "Use the STANDARD type."
        )
    return processor


def _inline(node: Node) -> None:
    hint = 'Set ItemProcessor.ProcessorConfig.Mode to "DISTRIBUTED".'
    for name in _DISTRIBUTED:
        if name in node:
            node[name].problem("conflict", f"Only a distributed Map has {name!r}", hint)
    for name in _TOLERATED:
        for written in (name, f"{name}Path"):
            if written in node:
                # AWS takes it, so an exported definition may have it.
                message = f"An inline Map tolerates no failed item, whatever {written} says"
                node[written].problem("conflict", message, hint, "warning")


def _items(node: Node) -> None:
    fields.at_most_one(node, "ItemSelector", "Parameters")
    expressions.template(node, "ItemSelector")
    if node.language == "JSONPath":
        expressions.path(node, "ItemsPath")
        return
    if "Items" not in node:
        return
    items = node["Items"]
    if not items.is_expression and not isinstance(items.value, (list, dict)):
        kind = fields.kind_of(items.value)
        items.problem("wrong_type", f"Items must be an array, an object or an expression: {kind}")
    expressions.template(node, "Items")


def _bounds(node: Node) -> None:
    for name, high in (
        ("MaxConcurrency", _LARGEST),
        ("ToleratedFailureCount", _LARGEST),
        ("ToleratedFailurePercentage", 100),
    ):
        fields.at_most_one(node, name, f"{name}Path")
        if node.language == "JSONPath":
            expressions.path(node, f"{name}Path")
        if name == "ToleratedFailurePercentage" and name in node:
            _percentage(node[name])
        else:
            expressions.integer(node, name, 0, high)


def _percentage(node: Node) -> None:
    """The one bound that may have a fraction."""
    if not isinstance(node.value, float):
        if node.is_expression:
            expressions.template_value(node)
        else:
            fields.check_integer(node, "ToleratedFailurePercentage", 0, 100)
    elif not 0 <= node.value <= 100:
        node.problem("bad_value", f"Must be from 0 to 100, not {node.value}")


def _label(node: Node) -> None:
    label = fields.text(node, "Label", _LONGEST_LABEL)
    if label == "":
        node["Label"].problem("bad_value", "Label must not be empty")
    elif label and (bad := _BAD_IN_LABEL.search(label)):
        node["Label"].problem("bad_value", f"Label has the character {bad[0]!r}")


def _processor(node: Node) -> Processor | None:
    fields.at_most_one(node, "ItemProcessor", "Iterator")
    name = "ItemProcessor"
    if "Iterator" in node and name not in node:
        name = "Iterator"
    fields.require(node, name)
    machine = fields.object_(node, name)
    if machine is None:
        return None
    config = fields.object_(machine, "ProcessorConfig")
    if config is None:
        return Processor(machine, False)
    fields.only(config, {"Mode", "ExecutionType"}, "a ProcessorConfig", {})
    mode = fields.one_of(config, "Mode", ("INLINE", "DISTRIBUTED"))
    kind = fields.one_of(config, "ExecutionType", ("STANDARD", "EXPRESS"))
    if mode == "DISTRIBUTED":
        fields.require(config, "ExecutionType")
    elif kind is not None and (mode == "INLINE" or "Mode" not in config):
        config["ExecutionType"].problem("conflict", "An inline Map has no ExecutionType")
    return Processor(machine, mode == "DISTRIBUTED")


def _reader(node: Node) -> None:
    if (reader := fields.object_(node, "ItemReader")) is None:
        return
    _access(reader, "an ItemReader", "ReaderConfig", _READERS)
    config = fields.object_(reader, "ReaderConfig")
    if config is None:
        return
    paths = {"MaxItemsPath"} if node.language == "JSONPath" else set()
    fields.only(config, _READER_CONFIG | paths, "a ReaderConfig", {})
    kinds = ("CSV", "JSON", "JSONL", "MANIFEST", "PARQUET")
    kind = fields.one_of(config, "InputType", kinds)
    fields.at_most_one(config, "MaxItems", "MaxItemsPath")
    expressions.integer(config, "MaxItems", 0, _LARGEST)
    expressions.path(config, "MaxItemsPath")
    fields.text(config, "ItemsPointer")
    fields.one_of(config, "ManifestType", ("ATHENA_DATA", "S3_INVENTORY"))
    fields.one_of(config, "Transformation", ("NONE", "LOAD_AND_FLATTEN"))
    fields.one_of(config, "CSVDelimiter", ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"))
    _headers(config, kind)


def _headers(config: Node, kind: str | None) -> None:
    location = fields.one_of(config, "CSVHeaderLocation", ("FIRST_ROW", "GIVEN"))
    headers = fields.array(config, "CSVHeaders", empty=False)
    if headers is not None:
        for header in headers.items():
            if not isinstance(header.value, str):
                header.problem("wrong_type", "A header is a text")
    if location == "GIVEN":
        fields.require(config, "CSVHeaders")
    elif location == "FIRST_ROW" and "CSVHeaders" in config:
        config["CSVHeaders"].problem("conflict", "The headers are in the first row")
    if kind == "CSV":
        fields.require(config, "CSVHeaderLocation")


def _access(node: Node, what: str, config: str, actions: tuple[str, ...]) -> None:
    """Resource and its Parameters or Arguments."""
    templates = {"Parameters"} if node.language == "JSONPath" else {"Arguments"}
    fields.only(node, templates | {"Resource", config}, what, {})
    if what == "an ItemReader":
        fields.require(node, "Resource")
    for name in templates:
        expressions.template(node, name)
    resource = fields.text(node, "Resource")
    if resource is None:
        return
    try:
        action = data_action(resource)
    except BadResource as error:
        node["Resource"].problem("bad_resource", str(error))
        return
    if action not in actions:
        hint = " or ".join(f"arn:aws:states:::{each}" for each in actions)
        node["Resource"].problem("bad_resource", f"{what} cannot use {action!r}", f"Use {hint}.")


def _batcher(node: Node) -> None:
    if (batcher := fields.object_(node, "ItemBatcher")) is None:
        return
    names = {"MaxItemsPerBatch": _LARGEST, "MaxInputBytesPerBatch": 262_144}
    paths = {f"{name}Path" for name in names} if node.language == "JSONPath" else set()
    fields.only(batcher, {*names, *paths, "BatchInput"}, "an ItemBatcher", {})
    for name, high in names.items():
        fields.at_most_one(batcher, name, f"{name}Path")
        expressions.integer(batcher, name, 1, high)
        if paths:
            expressions.path(batcher, f"{name}Path")
    expressions.template(batcher, "BatchInput")
    if not any(name in batcher for name in {*names, *paths}):
        batcher.problem("missing_field", "One of MaxItemsPerBatch, MaxInputBytesPerBatch is needed")


def _writer(node: Node) -> None:
    if (writer := fields.object_(node, "ResultWriter")) is None:
        return
    _access(writer, "a ResultWriter", "WriterConfig", ("s3:putObject",))
    config = fields.object_(writer, "WriterConfig")
    if config is not None:
        fields.only(config, {"Transformation", "OutputType"}, "a WriterConfig", {})
        fields.require(config, "Transformation", "OutputType")
        fields.one_of(config, "Transformation", ("NONE", "COMPACT", "FLATTEN"))
        fields.one_of(config, "OutputType", ("JSON", "JSONL"))
    elif "Resource" not in writer and "WriterConfig" not in writer:
        writer.problem("missing_field", "One of Resource, WriterConfig is needed")
