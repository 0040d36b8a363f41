"""ResultWriter: the files a distributed Map leaves, and what its state then gives.

Called by whoever stores the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from funcflow.compositions.definition import ResultWriter
from funcflow.compositions.events import text

#: Bytes after which results go on in another file.
FILE: Final = 16 * 1024 * 1024
#: Each has files of its own.
STATUSES: Final = ("FAILED", "PENDING", "SUCCEEDED")

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ResultFile:
    """``name`` within the Map Run's folder."""

    status: str
    name: str
    content: bytes


def files(
    writer: ResultWriter, results: Sequence[Result], most: int = FILE
) -> Iterator[ResultFile]:
    """Files of results, one after the other: STATUS_n.json or .jsonl."""
    ending = "jsonl" if writer.output_type == "JSONL" else "json"
    for status in STATUSES:
        number, size = 0, 0
        lines: list[bytes] = []
        for value in _values(writer, status, results):
            if size > most:
                yield ResultFile(status, f"{status}_{number}.{ending}", _joined(ending, lines))
                number, size, lines = number + 1, 0, []
            lines.append(text(value).encode(errors="replace"))
            size += len(lines[-1])
        if lines:
            yield ResultFile(status, f"{status}_{number}.{ending}", _joined(ending, lines))


def manifest(
    map_run: str, bucket: str, folder: str, written: Sequence[tuple[str, str, int]]
) -> bytes:
    """manifest.json of the files ``written``: (status, name, bytes) each."""
    listed = {
        status: [
            {"Key": f"{folder}/{name}", "Size": size}
            for each, name, size in written
            if each == status
        ]
        for status in STATUSES
    }
    about = {"DestinationBucket": bucket, "MapRunArn": map_run, "ResultFiles": listed}
    return text(about).encode(errors="replace")


def folder(map_run: str, prefix: str) -> str:
    """Where the files of a Map Run are, below the prefix the state asks for."""
    run = map_run.rpartition(":")[2]
    return f"{prefix.strip('/')}/{run}" if prefix.strip("/") else run


def details(map_run: str, bucket: str, folder: str) -> dict[str, Any]:
    """The state's result once the files are stored."""
    return {
        "MapRunArn": map_run,
        "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"},
    }


def inline(writer: ResultWriter, results: Sequence[Result]) -> list[Any]:
    """The result of a writer without a place to write to: it only forms the output."""
    good = [each for each in results if each["Status"] == "SUCCEEDED"]
    return [value for each in good for value in _transformed(writer, each)]


def _values(writer: ResultWriter, status: str, results: Sequence[Result]) -> Iterator[Any]:
    for each in results:
        if each["Status"] == status:
            yield from _transformed(writer, each)


def _joined(ending: str, lines: Sequence[bytes]) -> bytes:
    if ending == "jsonl":
        return b"".join(line + b"\n" for line in lines)
    return b"[" + b",".join(lines) + b"]"


def _transformed(writer: ResultWriter, result: Result) -> list[Any]:
    """NONE: all about the child; COMPACT: its output; FLATTEN: arrays laid open as well."""
    if writer.transformation == "NONE" or result["Status"] != "SUCCEEDED":
        return [{k: text(v) if k in ("Input", "Output") else v for k, v in result.items()}]
    output = result["Output"]
    if writer.transformation == "FLATTEN" and isinstance(output, list):
        return output
    return [output]
