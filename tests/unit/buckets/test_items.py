"""Items out of buckets, results into them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf
from funcflow.buckets import items
from funcflow.buckets.filesystem import FilesystemBuckets
from funcflow.compositions.commands import ReadItems, WriteResults
from funcflow.compositions.definition import ItemReader, ResultWriter
from funcflow.compositions.failures import Failure

MIB = 1024 * 1024


@pytest.fixture
def buckets(tmp_path: Path) -> FilesystemBuckets:
    return FilesystemBuckets(conf.load(default={"data_dir": str(tmp_path)}))


def read(
    buckets: FilesystemBuckets,
    arguments: Any,
    most: int | None = None,
    room: int = MIB,
    action: str = "s3:getObject",
    **how: Any,
) -> list[Any]:
    command = ReadItems(1, "Map", ItemReader(action, **how), arguments, most)
    return items.Reading(buckets, "p", room).items(command)


def test_items_of_an_object(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "x.csv", [b"a,b\n1,2\n3,4\n"])
    where = {"Bucket": "b", "Key": "x.csv"}
    assert read(buckets, where, input_type="CSV") == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert read(buckets, where, 1, input_type="CSV") == [{"a": "1", "b": "2"}]


def test_a_large_object_is_read_as_far_as_needed(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "big.jsonl", (b"1\n" * 1024 for _ in range(1024)))
    assert read(buckets, {"Bucket": "b", "Key": "big.jsonl"}, 3, 100, input_type="JSONL") == [1] * 3
    with pytest.raises(Failure, match="MaxItems"):
        read(buckets, {"Bucket": "b", "Key": "big.jsonl"}, None, 1000, input_type="JSONL")


def test_a_listing(buckets: FilesystemBuckets) -> None:
    for key in ("in/1.json", "in/2.json", "out/3.json"):
        buckets.put("p", "b", key, [b"[7]"])
    found = read(buckets, {"Bucket": "b", "Prefix": "in/"}, action="s3:listObjectsV2")
    assert [each["Key"] for each in found] == ["in/1.json", "in/2.json"]
    assert found[0]["Size"] == 3
    assert sorted(found[0]) == ["Etag", "Key", "LastModified", "Size", "StorageClass"]


def test_a_listing_whose_objects_are_read(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "in/1.json", [b"[1, 2]"])
    buckets.put("p", "b", "in/2.json", [b"[3]"])
    how: Any = {"input_type": "JSON", "transformation": "LOAD_AND_FLATTEN"}
    where = {"Bucket": "b", "Prefix": "in/"}
    assert read(buckets, where, action="s3:listObjectsV2", **how) == [1, 2, 3]


def test_items_of_the_objects_a_manifest_names(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "data", "1.gz", [gzip.compress(b"1\n2\n")])
    buckets.put("p", "data", "2.jsonl", [b"3\n"])
    buckets.put("p", "b", "manifest.csv", [b"s3://data/1.gz\ns3://data/2.jsonl\n"])
    how: Any = {"input_type": "JSONL", "manifest_type": "ATHENA_DATA"}
    assert read(buckets, {"Bucket": "b", "Key": "manifest.csv"}, **how) == [1, 2, 3]
    assert read(buckets, {"Bucket": "b", "Key": "manifest.csv"}, 1, **how) == [1]


def test_items_of_an_inventory(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "data/1.csv.gz", [gzip.compress(b'"src","k 1","5"\n')])
    manifest = {
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size",
        "files": [{"key": "data/1.csv.gz"}],
    }
    buckets.put("p", "b", "manifest.json", [json.dumps(manifest).encode()])
    assert read(buckets, {"Bucket": "b", "Key": "manifest.json"}, input_type="MANIFEST") == [
        {"Bucket": "src", "Key": "k 1", "Size": "5"}
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"Bucket": "b", "Key": "missing"}, "no object 'missing'"),
        ({"Bucket": "missing", "Key": "k"}, "no bucket 'missing'"),
        ({"Bucket": "../q", "Key": "k"}, "no name of a bucket"),
        ({"Bucket": "b", "Key": "../../q/b/k"}, "cannot be the path"),
        ({"Bucket": "b"}, "Key must be a text"),
        ({"Bucket": 1, "Key": "k"}, "Bucket must be a text"),
        (None, "Bucket must be a text"),
        ({"Bucket": "b", "Key": "k", "VersionId": "1"}, "no versions"),
    ],
)
def test_what_cannot_be_read_is_said(buckets: FilesystemBuckets, arguments: Any, said: str) -> None:
    buckets.put("p", "b", "other", [b"x"])
    buckets.put("q", "b", "k", [b"[1]"])
    with pytest.raises(Failure, match=said) as caught:
        read(buckets, arguments, input_type="JSON")
    assert caught.value.error == "States.ItemReaderFailed"


def test_reading_can_be_stopped(buckets: FilesystemBuckets) -> None:
    buckets.put("p", "b", "k", [b"1\n" * 10])
    command = ReadItems(1, "M", ItemReader("x", input_type="JSONL"), {"Bucket": "b", "Key": "k"})
    with pytest.raises(items.Stopped):
        items.Reading(buckets, "p", MIB, lambda: True).items(command)


# -- results -----------------------------------------------------------------------------------

RUN = "arn:aws:states:r:1:mapRun:m/Map:run-1"
RESULTS = (
    {"Status": "SUCCEEDED", "Input": 1, "Output": [1]},
    {"Status": "FAILED", "Input": 2, "Error": "E", "Cause": "c"},
)


def test_results_are_files_and_a_manifest(buckets: FilesystemBuckets, tmp_path: Path) -> None:
    writer = ResultWriter("s3:putObject", transformation="NONE")
    command = WriteResults(1, "Map", writer, {"Bucket": "out", "Prefix": "jobs"}, RUN, RESULTS)
    for _ in range(2):
        given = items.write(buckets, "p", command, lambda index: {"Name": f"child-{index}"})
    assert given == {
        "MapRunArn": RUN,
        "ResultWriterDetails": {"Bucket": "out", "Key": "jobs/run-1/manifest.json"},
    }
    folder = tmp_path / "buckets/p/out/jobs/run-1"
    assert sorted(path.name for path in folder.iterdir()) == [
        "FAILED_0.json",
        "SUCCEEDED_0.json",
        "manifest.json",
    ]
    manifest = json.loads(folder.joinpath("manifest.json").read_text())
    (listed,) = manifest["ResultFiles"]["SUCCEEDED"]
    file = tmp_path / "buckets/p/out" / listed["Key"]
    assert file.stat().st_size == listed["Size"]
    assert json.loads(file.read_text()) == [
        {"Name": "child-0", "Status": "SUCCEEDED", "Input": "1", "Output": "[1]"}
    ]


def test_results_without_a_place_are_the_output(buckets: FilesystemBuckets) -> None:
    writer = ResultWriter(transformation="FLATTEN")
    assert items.write(buckets, "p", WriteResults(1, "Map", writer, None, RUN, RESULTS)) == [1]


@pytest.mark.parametrize("arguments", [{}, {"Bucket": "../q"}, {"Bucket": "b", "Prefix": "a/../b"}])
def test_what_cannot_be_written_is_said(buckets: FilesystemBuckets, arguments: Any) -> None:
    writer = ResultWriter("s3:putObject")
    with pytest.raises(Failure) as caught:
        items.write(buckets, "p", WriteResults(1, "Map", writer, arguments, RUN, RESULTS))
    assert caught.value.error == "States.ResultWriterFailed"
