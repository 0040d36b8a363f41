"""Bodies that are a form or JSON, with at most one file.

Existing clients send functions as multipart or urlencoded forms, in which every value is text;
JSON bodies say the same with types. Parsed while streaming: fields stay in memory within a
small limit, the file goes to disk beyond one.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Mapping
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

import multipart

from funcflow import errors
from funcflow.api import fields
from funcflow.api.request import MAX_JSON, BoundedBody, Request, parse_json, parse_pairs, too_large

#: Bytes of all fields of a form together, apart from the file.
_MAX_FIELDS = MAX_JSON
_IN_MEMORY = 256 * 1024
_CHUNK = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """What was sent. Closing it (``with``) frees the file."""

    fields: dict[str, Any]
    file: BinaryIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.file is not None:
            self.file.close()


@dataclasses.dataclass(frozen=True)
class FormBody:
    """A body in one of three encodings.

    ``file``: name of the file's part, if it may have one. ``json_fields``: fields that arrive as
    JSON text in a form (and may in a JSON body). ``json_only``: fields that a form cannot have.
    """

    body: fields.Body
    file: str | None = None
    json_fields: tuple[str, ...] = ()
    json_only: tuple[str, ...] = ()

    def parse(self, request: Request) -> Form:
        """The request's form, checked; the caller closes it.

        :raises errors.BadRequest: malformed, or a field is not as declared
        :raises errors.TooLarge: the file or the fields are too long
        """
        kind = request.media_type
        if kind == "multipart/form-data":
            form = self._multipart(request)
        elif kind == "application/x-www-form-urlencoded":
            raw = request.read(_MAX_FIELDS)
            try:
                form = Form(dict(parse_pairs(raw.decode("ascii"), "form field", self._heeded)))
            except UnicodeDecodeError as exc:
                raise errors.BadRequest("the form is not urlencoded", code="bad_form") from exc
        else:
            return Form(self._checked(request.json()))
        try:
            return dataclasses.replace(form, fields=self._checked(form.fields))
        except BaseException:
            form.__exit__(None, None, None)
            raise

    @property
    def _heeded(self) -> frozenset[str]:
        """Fields of a form that mean something; all others may be there, even twice."""
        return frozenset(self.body.fields) - frozenset(self.json_only)

    def _checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        decoded = dict(given)
        for name in self.json_fields:
            if isinstance(decoded.get(name), str):
                decoded[name] = parse_json(decoded[name], f"field {name!r}")
        return self.body.check(decoded)

    def _multipart(self, request: Request) -> Form:
        _, options = multipart.parse_options_header(request.environ["CONTENT_TYPE"])
        boundary = options.get("boundary", "")
        if not 0 < len(boundary) <= 200 or not boundary.isascii():
            raise errors.BadRequest("the form has no usable boundary", code="bad_form")
        limit = request.max_package
        source = request.body_stream(limit + _MAX_FIELDS)
        reader = _Reader(self._heeded, self.file, limit)
        try:
            return reader.read(source, boundary)
        except (multipart.MultipartError, UnicodeError) as exc:
            reader.close()
            raise errors.BadRequest(f"malformed form: {exc}"[:300], code="bad_form") from exc
        except BaseException:
            reader.close()
            raise


class _Reader:
    """Collects the parts of one multipart body."""

    def __init__(self, heeded: frozenset[str], file_name: str | None, file_limit: int) -> None:
        self._heeded = heeded
        self._file_name = file_name
        self._file_limit = file_limit
        self._texts: dict[str, bytearray] = {}
        self._file: BinaryIO | None = None
        self._left = _MAX_FIELDS

    def read(self, source: BoundedBody, boundary: str) -> Form:
        parser = multipart.PushMultipartParser(
            boundary, max_segment_count=64, max_header_count=8, max_header_size=4096
        )
        name = ""
        with parser:
            while not parser.closed:
                for event in parser.parse(source.read(_CHUNK)):
                    if isinstance(event, multipart.MultipartSegment):
                        name = self._begin(event.name or "")
                    elif event:
                        self._add(name, bytes(event))
        if self._file is not None:
            self._file.seek(0)
        texts = {key: value.decode() for key, value in self._texts.items()}
        for key, value in texts.items():
            if "\0" in key or "\0" in value:
                raise errors.BadRequest(f"field {key[:80]!r} has a NUL character")
        return Form(texts, self._file)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _begin(self, name: str) -> str:
        if name in self._texts or (name == self._file_name and self._file is not None):
            raise errors.BadRequest(f"form field {name[:80]!r} is given twice")
        if name == self._file_name:
            self._file = cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115
        elif name in self._heeded:
            self._texts[name] = bytearray()
        return name

    def _add(self, name: str, data: bytes) -> None:
        if name == self._file_name and self._file is not None:
            self._file.write(data)
            if self._file.tell() > self._file_limit:
                raise too_large(self._file_limit)
            return
        self._left -= len(data)
        if self._left < 0:
            raise too_large(_MAX_FIELDS)
        if name in self._texts:
            self._texts[name] += data
