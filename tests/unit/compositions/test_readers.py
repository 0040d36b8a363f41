"""Items read out of objects, results written into files."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.compositions import readers, writers
from funcflow.compositions.definition import ItemReader, ResultWriter
from funcflow.compositions.failures import Failure

RESULTS: list[dict[str, Any]] = [
    {"Status": "SUCCEEDED", "Input": 1, "Output": [1, 2]},
    {"Status": "FAILED", "Input": 2, "Error": "Boom", "Cause": "why"},
    {"Status": "SUCCEEDED", "Input": 3, "Output": {"a": 3}},
]


def reader(input_type: str, **fields: Any) -> ItemReader:
    return ItemReader("s3:getObject", input_type=input_type, **fields)


@pytest.mark.parametrize(
    ("given", "body", "items"),
    [
        (reader("JSON"), "[1, 2]", [1, 2]),
        (reader("JSON"), '{"a": 1}', [{"Key": "a", "Value": 1}]),
        (reader("JSON", items_pointer="/a/0/b~1c"), '{"a": [{"b/c": [5]}]}', [5]),
        (reader("JSONL"), '{"a": 1}\n\n2\n', [{"a": 1}, 2]),
        (reader("CSV"), "a,b\n1,2\n3\n", [{"a": "1", "b": "2"}, {"a": "3", "b": ""}]),
        (reader("CSV", csv_delimiter="TAB"), "a\tb\n1\t2\n", [{"a": "1", "b": "2"}]),
        (
            reader("CSV", csv_header_location="GIVEN", csv_headers=("x",)),
            "1,2\n",
            [{"x": "1"}],
        ),
        (reader("CSV"), '\ufeffa\n"x\ny"\n', [{"a": "x\ny"}]),
        (reader("CSV"), "", []),
    ],
)
def test_items(given: ItemReader, body: str, items: list[Any]) -> None:
    assert readers.items(given, body.encode()) == items
    assert readers.items(given, body.encode(), 1) == items[:1]


@pytest.mark.parametrize(
    ("given", "body"),
    [
        (reader("JSON"), b"1"),
        (reader("JSON"), b"{"),
        (reader("JSON"), b"\xff"),
        (reader("JSON", items_pointer="/a"), b"{}"),
        (reader("JSON", items_pointer="/a/1"), b'{"a": [1]}'),
        (reader("JSONL"), b"1\nx\n"),
        (reader("CSV"), b"a,a\n1,2\n"),
        (reader("PARQUET"), b"PAR1"),
    ],
)
def test_what_cannot_be_read(given: ItemReader, body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        readers.items(given, body)
    assert caught.value.error == "States.ItemReaderFailed"


def test_a_listing_ends_at_its_limit() -> None:
    assert readers.listing([{"Key": "a"}, {"Key": "b"}], 1) == [{"Key": "a"}]


@pytest.mark.parametrize(
    ("transformation", "output"),
    [
        ("COMPACT", [[1, 2], {"a": 3}]),
        ("FLATTEN", [1, 2, {"a": 3}]),
    ],
)
def test_forms_of_results(transformation: str, output: list[Any]) -> None:
    writer = ResultWriter("s3:putObject", transformation=transformation)
    files = writers.files(writer, "run", "folder", RESULTS)
    assert json.loads(files["SUCCEEDED_0.json"]) == output
    assert writers.inline(writer, RESULTS) == output


def test_a_manifest_names_every_file_and_its_size() -> None:
    writer = ResultWriter("s3:putObject", output_type="JSONL")
    files = writers.files(writer, "run", "folder", RESULTS)
    assert set(files) == {"manifest.json", "SUCCEEDED_0.jsonl", "FAILED_0.jsonl"}
    assert len(files["SUCCEEDED_0.jsonl"].splitlines()) == 2
    first = json.loads(files["FAILED_0.jsonl"])
    assert first == {"Status": "FAILED", "Input": "2", "Error": "Boom", "Cause": "why"}
    listed = json.loads(files["manifest.json"])["ResultFiles"]
    for each in [*listed["SUCCEEDED"], *listed["FAILED"]]:
        assert each["Size"] == len(files[each["Key"].removeprefix("folder/")].encode())
    assert listed["PENDING"] == []


def test_what_the_state_gives_once_the_files_are_stored() -> None:
    assert writers.details("run", "bucket", "folder") == {
        "MapRunArn": "run",
        "ResultWriterDetails": {"Bucket": "bucket", "Key": "folder/manifest.json"},
    }
