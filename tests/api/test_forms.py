"""Forms: read while they stream, within limits, nothing left behind."""

from __future__ import annotations

import io
import itertools
import tracemalloc
from typing import Any

import pytest

from funcflow import errors
from funcflow.api import fields
from funcflow.api.forms import Form, FormBody
from funcflow.api.request import MAX_JSON, Request

FORM = FormBody(
    fields.Body(
        {"name": fields.text(10), "size": fields.integer(0, 9), "code": {"type": "object"},
         "source": fields.text(10)},
        strict=False,
    ),
    file="package",
    json_fields=("code",),
    json_only=("source",),
)  # fmt: skip
LIMIT = 100_000


class Stream:
    """A body made while it is read; counts what was read."""

    def __init__(self, *pieces: bytes | tuple[int, bytes]) -> None:
        repeated = ([p] if isinstance(p, bytes) else itertools.repeat(p[1], p[0]) for p in pieces)
        self._pieces = itertools.chain.from_iterable(repeated)
        self._left = b""
        self.given = 0

    def read(self, size: int) -> bytes:
        while len(self._left) < size and (piece := next(self._pieces, None)) is not None:
            self._left += piece
        part, self._left = self._left[:size], self._left[size:]
        self.given += len(part)
        return part


def parse(body: Any, kind: str = "multipart/form-data; boundary=b", **environ: Any) -> Form:
    source = io.BytesIO(body) if isinstance(body, bytes) else body
    length = str(len(body)) if isinstance(body, bytes) else ""
    request = Request(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": length,
            "wsgi.input": source,
            "wsgi.input_terminated": not length,
            **environ,
        },
        "req-1",
    )
    request.max_package = LIMIT
    return FORM.parse(request)


def part(name: str, value: bytes = b"", more: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value


END = b"\r\n--b--\r\n"
FILE = part("package", more='; filename="p.zip"')


def test_a_form() -> None:
    """Text as what it spells, the file as a file, strangers dropped, even twice."""
    swift = part("swift", b"container\r\n") + part("swift", b"object\r\n")
    body = (
        part("name", "naïve\r\n".encode())
        + swift
        + part("size", b"7\r\n")
        + part("code", b'{"source": "package"}\r\n')
        + part("source", b"package\r\n")
        + FILE
        + b"PK\0\r\n--x"
        + END
    )
    with parse(body) as form:
        assert form.fields == {"name": "naïve", "size": 7, "code": {"source": "package"}}
        assert form.file is not None
        assert form.file.read() == b"PK\0\r\n--x"
    assert form.file.closed


def test_the_same_as_json_and_urlencoded() -> None:
    """JSON may also say what a form cannot."""
    kind = "application/json; charset=utf-8"
    told = parse(b'{"name": "x", "size": 7, "code": {"a": 1}, "source": "y", "z": 1}', kind)
    assert told.fields == {"name": "x", "size": 7, "code": {"a": 1}, "source": "y"}
    assert told.file is None
    kind = "application/x-www-form-urlencoded"
    told = parse(b"name=x&size=7&code=%7B%7D&source=y&z=1&z=2", kind)
    assert told.fields == {"name": "x", "size": 7, "code": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        part("name", b"x"),
        part("name", b"x\r\n") + b"--b\r\n\r\nno name" + END,
        part("name", b"\xff") + END,
        part("name", b"a\0b") + END,
        part("name", b"x\r\n") + part("name", b"y") + END,
        FILE + b"x\r\n" + FILE + b"y" + END,
        part("code", b"{") + END,
        part("code", b"[]") + END,
        part("size", b"x") + END,
        part("name", b"x", "\r\nX: " + "y" * 10_000) + END,
        b"".join(part(f"n{n}", b"x\r\n") for n in range(100)) + END,
    ],
)  # fmt: skip
def test_malformed(body: bytes) -> None:
    """Each is a 400. The run's warnings are errors, so no file is left open either."""
    with pytest.raises(errors.BadRequest):
        parse(body)


def test_a_bad_field_after_a_file() -> None:
    """The file is closed when the form is refused in the end."""
    with pytest.raises(errors.BadRequest):
        parse(FILE + b"x" * 500 + b"\r\n" + part("size", b"many") + END)


def test_a_file_that_is_too_long() -> None:
    """413 once the limit is passed, however much more would come."""
    stream = Stream(FILE, (100_000, b"x" * 1024), END)
    with pytest.raises(errors.TooLarge):
        parse(stream)
    assert stream.given < LIMIT + 1024 * 1024


def test_fields_that_are_too_long() -> None:
    """Unknown ones count too; memory stays flat."""
    for name in ("name", "stranger"):
        stream = Stream(part(name), (100_000, b"x" * 1024), END)
        tracemalloc.start()
        with pytest.raises(errors.TooLarge):
            parse(stream)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert stream.given <= 2 * MAX_JSON
        assert peak < 8 * MAX_JSON


def test_a_file_goes_to_disk() -> None:
    """A package is not held in memory."""
    stream = Stream(FILE, (90, b"x" * 1024), END)
    with parse(stream) as form:
        assert form.file is not None
        assert len(form.file.read()) == 90 * 1024
