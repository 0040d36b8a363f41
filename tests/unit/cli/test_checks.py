"""What ``funcflow status`` says about a set-up that is not right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from funcflow.cli import checks, main
from funcflow.sandboxes import base as sandbox_base
from tests.unit.cli.double import Double


def _status(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict]]:  # type: ignore[type-arg]
    code = main.main(["status", *words, "-f", "json"])
    return code, {row["check"]: row for row in json.loads(capsys.readouterr().out)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration away from the machine's own, with a sandbox that has no walls."""
    path = tmp_path / "funcflow.conf"
    path.write_text(
        f"[DEFAULT]\ndata_dir = {tmp_path / 'data'}\n[sandbox]\ndriver = memory\nnode = nonode\n"
    )
    return path


def test_a_missing_configuration_ends_the_checks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, rows = _status(capsys, "--config-file", str(tmp_path / "gone.conf"))

    assert code == 1
    assert rows["configuration"]["status"] == "error"
    assert "gone.conf" in rows["configuration"]["detail"]
    assert "database" not in rows


def test_an_unused_set_up_stays_untouched(
    double: Double, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    double.will({"status": "ready"})

    code, rows = _status(capsys, "--config-file", str(config), "--endpoint", double.url)

    assert code == 1
    assert [name for name, row in rows.items() if row["status"] == "error"] == ["sandbox: process"]
    assert rows["server"]["status"] == "ok"
    assert rows["database"]["status"] == rows["jobboard"]["status"] == "warn"
    assert rows["node"] == {
        "status": "warn",
        "check": "node",
        "detail": "there is no nonode",
        "advice": "Install Node.js to run functions written for it.",
    }
    assert not (tmp_path / "data").exists()


def test_an_old_schema_says_how_to_upgrade(
    double: Double, capsys: pytest.CaptureFixture[str], config: Path, tmp_path: Path
) -> None:
    where = ("--config-file", str(config))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "funcflow.db").touch()
    double.answers.clear()
    double.will({})
    double.will({})

    before = _status(capsys, *where, "--endpoint", double.url)[1]["database"]
    assert main.main(["db", "upgrade", *where]) == 0
    assert "empty -> " in capsys.readouterr().err
    after = _status(capsys, *where, "--endpoint", double.url)[1]["database"]

    assert (before["status"], after["status"]) == ("warn", "ok")
    assert "funcflow db upgrade" in before["advice"]


def test_what_cannot_be_reached_is_an_error_on_its_own_line(
    double: Double, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    config.write_text(
        config.read_text()
        + "[database]\nurl = postgresql+psycopg://nobody@127.0.0.1:1/none\n"
        + "[jobboard]\ndriver = none-such\n"
        + "[swift]\nauth_type = password\nauth_url = http://127.0.0.1:1/v3\nusername = x\n"
        + "password = x\nproject_name = x\nretries = 0\n"
    )
    double.will({"error": {"message": "no conductor is alive"}}, status=503)

    code, rows = _status(capsys, "--config-file", str(config), "--endpoint", double.url)

    assert code == 1
    assert rows["database"]["status"] == "error"
    assert "none-such" in rows["jobboard"]["detail"]
    assert rows["swift"]["status"] == "error"
    assert "Keystone" in rows["swift"]["detail"]
    assert rows["server"]["detail"] == "no conductor is alive"


def test_a_missing_protection_is_as_bad_as_what_it_protects() -> None:
    walls = [sandbox_base.Protection(name, False, "no") for name in ("files", "cpu", "hostname")]

    told = [checks._missing(wall.name, wall) for wall in walls]

    assert [check.status for check in told] == ["error", "warn", "warn"]
    assert all("doc/isolation.md" in check.advice for check in told)
