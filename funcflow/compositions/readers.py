"""ItemReader: the items in the text of an object, or of a listing.

Called by whoever fetches the objects; raises ``States.ItemReaderFailed``.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from funcflow.compositions import failures
from funcflow.compositions.definition import ItemReader
from funcflow.compositions.failures import Failure

_DELIMITERS: Final[Mapping[str, str]] = {
    "COMMA": ",",
    "PIPE": "|",
    "SEMICOLON": ";",
    "SPACE": " ",
    "TAB": "\t",
}


def items(reader: ItemReader, body: bytes, most: int | None = None) -> list[Any]:
    """The items of one object, at most ``most`` of them."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _failure("The object is not UTF-8 text.") from None
    match reader.input_type:
        case "JSON":
            found: Iterable[Any] = _json(reader, text)
        case "JSONL":
            found = _lines(text)
        case "CSV":
            found = _csv(reader, text)
        case other:
            raise _failure(f"funcflow does not read items of type {other or 'listing'}.")
    return list(islice(found, most))


def listing(objects: Iterable[Mapping[str, Any]], most: int | None = None) -> list[Any]:
    """Items of a listing: {Etag, Key, LastModified, Size, StorageClass} each."""
    return [dict(each) for each in islice(objects, most)]


def _json(reader: ItemReader, text: str) -> Iterable[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        raise _failure("Attempting to map over non-iterable node.") from None
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


def _lines(text: str) -> Iterator[Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError:
                raise _failure(f"Line {number} is not JSON.") from None


def _csv(reader: ItemReader, text: str) -> Iterator[dict[str, str]]:
    rows = csv.reader(io.StringIO(text), delimiter=_DELIMITERS[reader.csv_delimiter])
    given = reader.csv_header_location == "GIVEN"
    headers = list(reader.csv_headers) if given else next(rows, [])
    if len(set(headers)) != len(headers):
        raise _failure("CSV headers cannot contain duplicates.")
    try:
        for row in rows:
            if row:
                padded = row + [""] * (len(headers) - len(row))
                yield dict(zip(headers, padded, strict=False))
    except csv.Error as error:
        raise _failure(f"The object is not CSV: {error}.") from None


def _failure(cause: str) -> Failure:
    return Failure(failures.ITEM_READER, cause)
