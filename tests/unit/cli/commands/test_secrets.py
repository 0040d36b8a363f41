"""Secrets on the command line: where values come from, and how keys are changed."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import models
from funcflow.cli import main
from funcflow.cli.commands import functions
from funcflow.db import schema
from funcflow.db import secrets as db
from funcflow.db.engine import Database
from funcflow.secrets import keyring
from tests.unit.cli.double import Double

SHOWN = {"id": "i", "name": "n", "version": 1}


def sent(double: Double, *words: str) -> dict[str, object]:
    """The body that a command sends."""
    double.will(SHOWN)
    assert main.main(["secret", *words, "--endpoint", double.url, "-f", "json"]) == 0
    body: dict[str, object] = json.loads(double.seen[-1].body)
    return body


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_value_comes_from_stdin_or_a_file(
    double: Double, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "value"
    file.write_text("two\nlines\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("one line\n"))
    assert sent(double, "create", "n") == {"name": "n", "value": "one line"}
    assert sent(double, "create", "n", "--file", str(file))["value"] == "two\nlines\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("as it is\n"))
    assert sent(double, "set", "n", "--file", "-") == {"value": "as it is\n"}
    barbican = sent(double, "set", "n", "--barbican", "id", "--description", "d")
    assert barbican == {"barbican": "id", "description": "d"}


def test_a_value_is_asked_for_twice(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["hunter22", "hunter22", "hunter22", "hunter2"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))
    assert sent(double, "create", "n")["value"] == "hunter22"
    assert main.main(["secret", "create", "n", "--endpoint", double.url]) == 1
    assert len(double.seen) == 1


def test_a_value_is_no_argument() -> None:
    for words in (["hunter22"], ["--value", "hunter22"]):
        with pytest.raises(SystemExit) as ended:
            main.main(["secret", "create", "n", *words])
        assert ended.value.code == 2


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("db", {"secret": "db", "mount": "environment"}),
        ("PGPASSWORD=db", {"secret": "db", "mount": "environment", "name": "PGPASSWORD"}),
        ("@db", {"secret": "db", "mount": "metadata"}),
        ("@d=db", {"secret": "db", "mount": "metadata", "name": "d"}),
    ],
)
def test_mounts_as_people_type_them(text: str, mount: dict[str, str]) -> None:
    assert functions._mount(text) == mount


def test_keys_are_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = []
    for number in range(2):
        files.append(tmp_path / f"{number}.key")
        files[-1].touch(0o600)
        files[-1].write_text(base64.b64encode(os.urandom(32)).decode())
    file = tmp_path / "funcflow.conf"

    def configured(*keys: Path) -> keyring.Keyring:
        names = ",".join(map(str, keys))
        file.write_text(f"[DEFAULT]\ndata_dir = {tmp_path}\n[secrets]\nkey_files = {names}\n")
        return keyring.Keys(config.load([file])).ring

    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    database = Database(url, read_connections=1)
    try:
        old = configured(files[0])
        for name in ("a", "b"):
            made = models.Secret(id=f"id-{name}", name=name, project_id="p", created_at=1.0)
            made = dataclasses.replace(made, sealed=old.seal(f"value {name}", made))
            database.transact(lambda c, made=made: db.create(c, made, 9))  # type: ignore[misc]
        configured(files[1], files[0])
        for told in ("sealed 2 secrets", "sealed 0 secrets"):
            assert main.main(["secret", "reencrypt", "--config-file", str(file)]) == 0
            assert told in capsys.readouterr().err
        new = configured(files[1])
        with database.read() as connection:
            assert [new.open(row) for row in db.sealed(connection)] == ["value a", "value b"]
        configured(files[0])
        assert main.main(["secret", "reencrypt", "--config-file", str(file)]) == 1
        assert "is not there" in capsys.readouterr().err
    finally:
        database.close()
