"""ResultWriter: the files a distributed Map leaves, and what its state then gives.

Called by whoever stores the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from funcflow.compositions.definition import ResultWriter
from funcflow.compositions.events import text


def files(
    writer: ResultWriter, map_run: str, folder: str, results: Sequence[Mapping[str, Any]]
) -> dict[str, str]:
    """Name within ``folder`` -> content: manifest.json and a file for each status."""
    answer: dict[str, str] = {}
    listed: dict[str, list[dict[str, Any]]] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, entries in listed.items():
        chosen = [each for each in results if each["Status"] == status]
        if not chosen:
            continue
        values = [value for each in chosen for value in _transformed(writer, each)]
        ending = "jsonl" if writer.output_type == "JSONL" else "json"
        name = f"{status}_0.{ending}"
        answer[name] = (
            "".join(f"{text(value)}\n" for value in values) if ending == "jsonl" else text(values)
        )
        entries.append({"Key": f"{folder}/{name}", "Size": len(answer[name].encode())})
    answer["manifest.json"] = text(
        {"DestinationBucket": "", "MapRunArn": map_run, "ResultFiles": listed}
    )
    return answer


def details(map_run: str, bucket: str, folder: str) -> dict[str, Any]:
    """The state's result once the files are stored."""
    return {
        "MapRunArn": map_run,
        "ResultWriterDetails": {"Bucket": bucket, "Key": f"{folder}/manifest.json"},
    }


def inline(writer: ResultWriter, results: Sequence[Mapping[str, Any]]) -> list[Any]:
    """The result of a writer without a place to write to: it only forms the output."""
    good = [each for each in results if each["Status"] == "SUCCEEDED"]
    return [value for each in good for value in _transformed(writer, each)]


def _transformed(writer: ResultWriter, result: Mapping[str, Any]) -> list[Any]:
    """NONE: all about the child; COMPACT: its output; FLATTEN: arrays laid open as well."""
    if writer.transformation == "NONE" or result["Status"] != "SUCCEEDED":
        return [{k: text(v) if k in ("Input", "Output") else v for k, v in result.items()}]
    output = result["Output"]
    if writer.transformation == "FLATTEN" and isinstance(output, list):
        return output
    return [output]
