"""What a distributed Map reads out of buckets, and what it leaves there.

Called by the conductor and by ``run-local``, in threads that may wait. Failures have AWS's
names, States.ItemReaderFailed and States.ResultWriterFailed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from funcflow import errors
from funcflow.buckets.base import Buckets
from funcflow.compositions import failures, payloads, readers, writers
from funcflow.compositions.commands import ReadItems, WriteResults
from funcflow.compositions.definition import ItemReader
from funcflow.compositions.failures import Failure
from funcflow.compositions.readers import Source


class Stopped(Exception):
    """Nobody wants the items any more."""


class Reading:
    """Reads the items of one command; ``stopped`` is asked now and then."""

    def __init__(
        self,
        buckets: Buckets,
        project_id: str,
        room: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """:param room: bytes that the items may have together, as JSON"""
        self._buckets = buckets
        self._project_id = project_id
        self._room = room
        self._stopped = stopped

    def items(self, command: ReadItems) -> list[Any]:
        """All items, at most ``command.max_items``; no more of the objects is read than that.

        :raises Failure: States.ItemReaderFailed
        :raises Stopped: as ``stopped`` says
        """
        found: list[Any] = []
        size = 0
        try:
            for item in islice(self._found(command), command.max_items):
                if self._stopped():
                    raise Stopped
                size += payloads.size(item) + 1
                if size > self._room:
                    raise _failed(
                        f"The items have more than {self._room} bytes; read fewer (MaxItems), "
                        "or name objects instead of reading them."
                    )
                found.append(item)
        except errors.FuncflowError as error:
            raise _failed(f"{error.message}.") from error
        except OSError as error:
            raise _failed(f"The object cannot be read: {error.strerror}.") from error
        return found

    def _found(self, command: ReadItems) -> Iterator[Any]:
        reader = command.reader
        arguments = command.arguments if isinstance(command.arguments, dict) else {}
        bucket = _text(arguments, "Bucket")
        if reader.action.startswith("s3:listObjects"):
            prefix = _text(arguments, "Prefix", "")
            yield from self._listed(reader, bucket, prefix)
            return
        if arguments.get("VersionId") is not None:
            raise _failed("Buckets keep no versions of objects; leave out VersionId.")
        source = Source(bucket, _text(arguments, "Key"))
        if readers.is_manifest(reader):
            yield from self._named(reader, source)
        else:
            yield from self._read(reader, source)

    def _listed(self, reader: ItemReader, bucket: str, prefix: str) -> Iterator[Any]:
        entries = self._buckets.list(self._project_id, bucket, prefix)
        if reader.transformation == "LOAD_AND_FLATTEN":
            for entry in entries:
                yield from self._read(reader, Source(bucket, entry.key))
            return
        yield from readers.listing(
            {
                "Etag": f'"{entry.etag}"',
                "Key": entry.key,
                "LastModified": int(entry.modified),
                "Size": entry.size,
                "StorageClass": "STANDARD",
            }
            for entry in entries
        )

    def _named(self, reader: ItemReader, manifest: Source) -> Iterator[Any]:
        """The items of all objects that a manifest names."""
        with self._buckets.open(self._project_id, manifest.bucket, manifest.key) as file:
            for source, how in readers.sources(reader, file, manifest.bucket, self._room):
                yield from self._read(how, source)

    def _read(self, reader: ItemReader, source: Source) -> Iterator[Any]:
        with self._buckets.open(self._project_id, source.bucket, source.key) as file:
            yield from readers.items(reader, readers.unpacked(file, source.key), self._room)


def write(
    buckets: Buckets,
    project_id: str,
    command: WriteResults,
    about: Callable[[int], Mapping[str, Any]] = lambda index: {},
) -> Any:
    """Store the results; what the state gives then. Doing it again gives the same files.

    :param about: what else is known of the child at an index: ExecutionArn, Name, …
    :raises Failure: States.ResultWriterFailed
    """
    if not command.writer.action:
        return writers.inline(command.writer, command.results)
    arguments = command.arguments if isinstance(command.arguments, dict) else {}
    try:
        bucket = _text(arguments, "Bucket")
        folder = writers.folder(command.map_run, _text(arguments, "Prefix", ""))
        results = [{**about(index), **each} for index, each in enumerate(command.results)]
        _store(buckets, project_id, bucket, folder, command, results)
    except errors.FuncflowError as error:
        raise Failure(failures.RESULT_WRITER, f"{error.message}.") from error
    except Failure as failure:
        raise Failure(failures.RESULT_WRITER, failure.cause) from None
    return writers.details(command.map_run, bucket, folder)


def _store(
    buckets: Buckets,
    project_id: str,
    bucket: str,
    folder: str,
    command: WriteResults,
    results: Sequence[Mapping[str, Any]],
) -> None:
    written: list[tuple[str, str, int]] = []
    for file in writers.files(command.writer, results):
        size = buckets.put(project_id, bucket, f"{folder}/{file.name}", [file.content])
        written.append((file.status, file.name, size))
    manifest = writers.manifest(command.map_run, bucket, folder, written)
    buckets.put(project_id, bucket, f"{folder}/manifest.json", [manifest])


def _text(arguments: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = arguments.get(name, default)
    if not isinstance(value, str):
        raise _failed(f"{name} must be a text.")
    return value


def _failed(cause: str) -> Failure:
    return Failure(failures.ITEM_READER, cause)
