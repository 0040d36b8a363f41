"""Packages: what they are made from, and how they are sent."""

from __future__ import annotations

import email.parser
import email.policy
import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from funcflow.cli import faults, uploads


def _bytes(path: Path) -> bytes:
    with uploads.Package(path) as package:
        return b"".join(package.chunks())


def _folder(at: Path) -> Path:
    (at / "lib").mkdir(parents=True)
    (at / "main.py").write_text("def main(): pass\n")
    (at / "lib" / "b.py").write_text("B = 1\n")
    (at / "run.sh").write_text("#!/bin/sh\n")
    (at / "run.sh").chmod(0o755)
    for junk in ("__pycache__/main.pyc", ".git/config", "lib/old.pyc"):
        (at / junk).parent.mkdir(exist_ok=True)
        (at / junk).write_text("junk")
    return at


def test_a_folder_is_packed_without_what_is_no_code(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(_bytes(_folder(tmp_path / "f"))))

    assert archive.namelist() == ["lib/b.py", "main.py", "run.sh"]
    assert archive.read("lib/b.py") == b"B = 1\n"
    assert archive.getinfo("run.sh").external_attr >> 16 & 0o111
    assert not archive.getinfo("main.py").external_attr >> 16 & 0o111


def test_equal_sources_are_equal_packages(tmp_path: Path) -> None:
    one, two = _folder(tmp_path / "one"), _folder(tmp_path / "two")
    os.utime(two / "main.py", (1, 1))
    (two / "lib" / "b.py").chmod(0o600)

    assert _bytes(one) == _bytes(two)


def test_a_source_file_is_packed_under_its_own_name(tmp_path: Path) -> None:
    source = tmp_path / "hello.py"
    source.write_text("def main(): pass\n")

    assert zipfile.ZipFile(io.BytesIO(_bytes(source))).namelist() == ["hello.py"]


def test_a_zip_is_sent_as_it_is(tmp_path: Path) -> None:
    made = tmp_path / "made.zip"
    made.write_bytes(b"whatever the server makes of it")

    with uploads.Package(made) as package:
        assert b"".join(package.chunks()) == made.read_bytes()
        assert package.md5sum == hashlib.md5(made.read_bytes()).hexdigest()
        assert package.filename == "made.zip"


@pytest.mark.parametrize("name", ["empty", "notes.txt"])
def test_what_is_no_package_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("hello")

    with pytest.raises(faults.ClientError, match=name):
        uploads.Package(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "runtime", "entry"),
    [
        ("hello.py", "def main(): ...", "python3", "hello.main"),
        ("hello.py", "async def main(): ...", "python3", "hello.main"),
        ("hello.py", "def handler(event, context): ...", "python3", "hello.handler"),
        ("hello.py", "def handler(e, c): ...\ndef main(): ...", "python3", "hello.main"),
        ("hello.py", "def remainder(): ...", "python3", "hello.main"),
        ("hello.js", "exports.handler = async (e) => e", "nodejs", "hello.handler"),
        ("hello.mjs", "export async function handler(e) {}", "nodejs", "hello.handler"),
        ("hello.js", "module.exports = { main }\nfunction main() {}", "nodejs", "hello.main"),
    ],
)
def test_runtime_and_entry_follow_from_a_file(
    tmp_path: Path, name: str, text: str, runtime: str, entry: str
) -> None:
    (tmp_path / name).write_text(text)

    assert uploads.default_runtime(tmp_path / name) == runtime
    assert uploads.default_entry(tmp_path / name) == entry


@pytest.mark.parametrize(
    ("files", "runtime", "entry"),
    [
        (["only.py", "data.json"], "python3", "only.main"),
        (["main.py", "other.py"], "python3", "main.main"),
        (["index.js", "util.js"], "nodejs", "index.main"),
        (["a.py", "b.py"], None, "main.main"),
        (["data.json"], None, "main.main"),
    ],
)
def test_runtime_and_entry_follow_from_a_folder(
    tmp_path: Path, files: list[str], runtime: str | None, entry: str
) -> None:
    for name in files:
        (tmp_path / name).write_text("")

    assert uploads.default_runtime(tmp_path) == runtime
    assert uploads.default_entry(tmp_path) == entry


def test_a_form_is_what_its_length_says_and_can_be_sent_twice(tmp_path: Path) -> None:
    made = tmp_path / 'a "quoted"\n.zip'
    made.write_bytes(os.urandom(200_000))
    told: list[tuple[int, int]] = []
    with uploads.Package(made) as package:
        form = uploads.Form(
            {"name": "hé", "code": json.dumps({"source": "package"})},
            package,
            lambda done, total: told.append((done, total)),
        )
        sent, again = b"".join(form), b"".join(form)

    assert sent == again
    assert len(sent) == len(form)
    assert told[-1] == (200_000, 200_000)
    parts = _parse(form.content_type, sent)
    assert parts["name"] == "hé".encode()
    assert json.loads(parts["code"]) == {"source": "package"}
    assert parts["package"] == made.read_bytes()


def _parse(content_type: str, body: bytes) -> dict[str, bytes]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    found = {}
    for part in message.iter_parts():  # type: ignore[attr-defined]
        payload = part.get_payload(decode=True)
        found[part.get_param("name", header="Content-Disposition")] = payload
    return found
