"""ItemReader: the items in an object, in what a manifest names, or in a listing.

Called by whoever opens the objects; raises ``States.ItemReaderFailed``. Objects are read as far
as items are asked for; what is in memory is a line, a row, or a whole JSON document.
"""

from __future__ import annotations

import csv
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from typing import Any, BinaryIO, Final

from funcflow.compositions import failures
from funcflow.compositions.definition import ItemReader
from funcflow.compositions.failures import Failure

#: Bytes of a line, and characters of a field of CSV.
LINE: Final = 1024 * 1024
#: Bytes of a JSON document, unless the caller says otherwise.
DOCUMENT: Final = 64 * LINE

_DELIMITERS: Final[Mapping[str, str]] = {
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "SPACE": " ",
    "TAB": "\t",
}
_ADDRESS = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)")

csv.field_size_limit(LINE)


@dataclass(frozen=True, slots=True)
class Source:
    """An object that a manifest names."""

    bucket: str
    key: str


def items(reader: ItemReader, file: BinaryIO, most: int = DOCUMENT) -> Iterator[Any]:
    """The items of one object.

    :param most: bytes of an object that has to be read as a whole
    """
    match reader.input_type:
        case "JSON":
            yield from _json(reader, file, most)
        case "JSONL":
            yield from _json_lines(file)
        case "CSV":
            yield from _csv(reader, file)
        case other:
            raise _failure(f"funcflow does not read items of type {other or 'listing'}.")


def listing(objects: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Items of a listing: {Etag, Key, LastModified, Size, StorageClass} each."""
    return map(dict, objects)


def is_manifest(reader: ItemReader) -> bool:
    """Does the object name others, which have the items?"""
    return reader.input_type == "MANIFEST" or reader.manifest_type != ""


def sources(
    reader: ItemReader, file: BinaryIO, bucket: str, most: int = DOCUMENT
) -> Iterator[tuple[Source, ItemReader]]:
    """The objects a manifest in ``bucket`` names, each with how its items are read.

    ATHENA_DATA: an address (s3://bucket/key) in each line, items as InputType says.
    S3_INVENTORY: a JSON document that names files of CSV, and their columns.
    """
    if reader.manifest_type == "ATHENA_DATA":
        for line in _lines(file):
            if address := line.strip().strip('"'):
                match = _ADDRESS.fullmatch(address)
                if match is None:
                    raise _failure(f"{address[:200]!r} in the manifest is no address of an object.")
                yield Source(match["bucket"], match["key"]), reader
        return
    manifest = _document(file, most)
    try:
        if manifest["fileFormat"] != "CSV":
            raise _failure(f"The inventory is {manifest['fileFormat']}, which is not read.")
        columns = tuple(name.strip() for name in manifest["fileSchema"].split(","))
        keys = [str(each["key"]) for each in manifest["files"]]
    except (KeyError, TypeError, AttributeError):
        raise _failure("The object is no manifest of an inventory.") from None
    rows = ItemReader(
        reader.action, input_type="CSV", csv_header_location="GIVEN", csv_headers=columns
    )
    for key in keys:
        yield Source(bucket, key), rows


def unpacked(file: BinaryIO, key: str) -> BinaryIO:
    """The object's own bytes, if its name says that they are packed."""
    return GzipFile(fileobj=file) if key.endswith(".gz") else file  # type: ignore[return-value]


def _document(file: BinaryIO, most: int) -> Any:
    data = file.read(most + 1)
    if len(data) > most:
        raise _failure(f"A JSON document may have {most} bytes; use JSONL or CSV for more.")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise _failure("Attempting to map over non-iterable node.") from None


def _json(reader: ItemReader, file: BinaryIO, most: int) -> Iterable[Any]:
    found = _document(file, most)
    for part in reader.items_pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(name)] if isinstance(found, list) else found[name]
        except (KeyError, IndexError, ValueError, TypeError):
            raise _failure(f"ItemsPointer {reader.items_pointer} names nothing.") from None
    if isinstance(found, dict):
        return [{"Key": key, "Value": value} for key, value in found.items()]
    if isinstance(found, list):
        return found
    raise _failure("Attempting to map over non-iterable node.")


def _json_lines(file: BinaryIO) -> Iterator[Any]:
    for number, line in enumerate(_lines(file), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                raise _failure(f"Line {number} is not JSON.") from None


def _csv(reader: ItemReader, file: BinaryIO) -> Iterator[dict[str, str]]:
    rows = csv.reader(_lines(file), delimiter=_DELIMITERS[reader.csv_delimiter])
    try:
        given = reader.csv_header_location == "GIVEN"
        headers = list(reader.csv_headers) if given else next(rows, [])
        if len(set(headers)) != len(headers):
            raise _failure("CSV headers cannot contain duplicates.")
        for row in rows:
            if row:
                padded = row + [""] * (len(headers) - len(row))
                yield dict(zip(headers, padded, strict=False))
    except csv.Error as error:
        raise _failure(f"The object is not CSV: {error}.") from None


def _lines(file: BinaryIO) -> Iterator[str]:
    """Lines with their ends; none of them too long to be held."""
    encoding = "utf-8-sig"
    try:
        while line := file.readline(LINE + 1):
            if len(line) > LINE:
                raise _failure(f"A line has more than {LINE} bytes.")
            yield line.decode(encoding)
            encoding = "utf-8"
    except UnicodeDecodeError:
        raise _failure("The object is not UTF-8 text.") from None
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise _failure(f"The object cannot be unpacked: {error}.") from None


def _failure(cause: str) -> Failure:
    return Failure(failures.ITEM_READER, cause)
