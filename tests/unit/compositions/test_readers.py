"""Items read out of objects, results written into files."""

from __future__ import annotations

import gzip
import io
import itertools
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
    assert list(readers.items(given, io.BytesIO(body.encode()))) == items


@pytest.mark.parametrize("input_type", ["CSV", "JSONL"])
def test_no_more_is_read_than_is_asked_for(input_type: str) -> None:
    class Endless(io.RawIOBase):
        """A file without end; how much of it was read."""

        taken = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.taken += len(buffer)
            buffer[:] = (b"1\n" * len(buffer))[: len(buffer)]
            return len(buffer)

    file = Endless()
    found = readers.items(reader(input_type), io.BufferedReader(file))
    assert len(list(itertools.islice(found, 10_000))) == 10_000
    assert file.taken < 100_000


def test_lines_are_those_of_files() -> None:
    """Not those of texts, which end in more places."""
    body = '"a\u2028b"\n"c\x85d"\n'.encode()
    assert list(readers.items(reader("JSONL"), io.BytesIO(body))) == ["a\u2028b", "c\x85d"]


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
        (reader("CSV"), b"a\n\xff\n"),
        (reader("CSV"), b'a\n"' + b"x\n" * 600_000),
        (reader("JSONL"), b"1" * (readers.LINE + 1)),
        (reader("JSON"), b"[" * 100_000),
    ],
    ids=str,
)
def test_what_cannot_be_read(given: ItemReader, body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        list(readers.items(given, io.BytesIO(body)))
    assert caught.value.error == "States.ItemReaderFailed"


def test_a_document_must_fit() -> None:
    assert list(readers.items(reader("JSON"), io.BytesIO(b"[1, 2]"), 6)) == [1, 2]
    with pytest.raises(Failure, match="6 bytes"):
        list(readers.items(reader("JSON"), io.BytesIO(b"[1,  2]"), 6))


def test_a_manifest_of_athena_names_objects() -> None:
    given = reader("JSONL", manifest_type="ATHENA_DATA")
    file = io.BytesIO(b's3://b/x/1.gz\r\n\n"s3://c/2"\n')
    assert readers.is_manifest(given)
    assert list(readers.sources(given, file, "b")) == [
        (readers.Source("b", "x/1.gz"), given),
        (readers.Source("c", "2"), given),
    ]
    with pytest.raises(Failure, match="no address"):
        list(readers.sources(given, io.BytesIO(b"http://b/x\n"), "b"))


def test_a_manifest_of_an_inventory_names_files_and_columns() -> None:
    given = reader("MANIFEST")
    manifest = {"fileFormat": "CSV", "fileSchema": "Bucket, Key", "files": [{"key": "data/1.gz"}]}
    file = io.BytesIO(json.dumps(manifest).encode())
    assert readers.is_manifest(given)
    ((source, how),) = readers.sources(given, file, "inventories")
    assert source == readers.Source("inventories", "data/1.gz")
    packed = readers.unpacked(io.BytesIO(gzip.compress(b'"b","k/1"\n')), source.key)
    assert list(readers.items(how, packed)) == [{"Bucket": "b", "Key": "k/1"}]


@pytest.mark.parametrize("manifest", [b"[]", b"{}", b'{"fileFormat": "ORC"}', b"x"])
def test_what_is_no_manifest_is_said(manifest: bytes) -> None:
    with pytest.raises(Failure):
        list(readers.sources(reader("MANIFEST"), io.BytesIO(manifest), "b"))


def test_what_is_packed_badly_is_said() -> None:
    for body in (b"not packed", gzip.compress(b"a\n1\n" * 100)[:-20]):
        packed = readers.unpacked(io.BytesIO(body), "a.gz")
        with pytest.raises(Failure, match="unpacked"):
            list(readers.items(reader("CSV"), packed))


def test_a_listing_is_made_of_its_objects() -> None:
    assert list(readers.listing([{"Key": "a"}, {"Key": "b"}])) == [{"Key": "a"}, {"Key": "b"}]


@pytest.mark.parametrize(
    ("transformation", "output"),
    [
        ("COMPACT", [[1, 2], {"a": 3}]),
        ("FLATTEN", [1, 2, {"a": 3}]),
    ],
)
def test_forms_of_results(transformation: str, output: list[Any]) -> None:
    writer = ResultWriter("s3:putObject", transformation=transformation)
    failed, good = writers.files(writer, RESULTS)
    assert (failed.name, good.name) == ("FAILED_0.json", "SUCCEEDED_0.json")
    assert json.loads(good.content) == output
    assert writers.inline(writer, RESULTS) == output


def test_lines_of_results() -> None:
    writer = ResultWriter("s3:putObject", output_type="JSONL")
    failed, good = writers.files(writer, RESULTS)
    assert (failed.name, good.name) == ("FAILED_0.jsonl", "SUCCEEDED_0.jsonl")
    assert len(good.content.splitlines()) == 2
    assert json.loads(failed.content) == {
        "Status": "FAILED",
        "Input": "2",
        "Error": "Boom",
        "Cause": "why",
    }


def test_many_results_get_several_files() -> None:
    writer = ResultWriter("s3:putObject", transformation="COMPACT")
    results = [{"Status": "SUCCEEDED", "Input": n, "Output": n} for n in range(10)]
    made = list(writers.files(writer, results, most=3))
    assert [file.name for file in made] == [f"SUCCEEDED_{n}.json" for n in range(3)]
    assert [n for file in made for n in json.loads(file.content)] == list(range(10))


def test_a_manifest_names_every_file_and_its_size() -> None:
    written = [("FAILED", "FAILED_0.json", 7), ("SUCCEEDED", "SUCCEEDED_0.json", 9)]
    assert json.loads(writers.manifest("run", "bucket", "p/1", written)) == {
        "DestinationBucket": "bucket",
        "MapRunArn": "run",
        "ResultFiles": {
            "FAILED": [{"Key": "p/1/FAILED_0.json", "Size": 7}],
            "PENDING": [],
            "SUCCEEDED": [{"Key": "p/1/SUCCEEDED_0.json", "Size": 9}],
        },
    }


@pytest.mark.parametrize(
    ("prefix", "folder"), [("", "id"), ("/", "id"), ("jobs", "jobs/id"), ("/a/b/", "a/b/id")]
)
def test_a_map_run_has_a_folder_of_its_own(prefix: str, folder: str) -> None:
    assert writers.folder("arn:aws:states:r:1:mapRun:m/Map:id", prefix) == folder


def test_what_the_state_gives_once_the_files_are_stored() -> None:
    assert writers.details("run", "bucket", "folder") == {
        "MapRunArn": "run",
        "ResultWriterDetails": {"Bucket": "bucket", "Key": "folder/manifest.json"},
    }
