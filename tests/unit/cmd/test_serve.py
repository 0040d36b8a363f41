"""``funcflow-api`` becomes gunicorn with the configuration's settings, or says why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import errors
from funcflow.cmd import serve


def configured(folder: Path, **api: object) -> list[str]:
    file = folder / "funcflow.conf"
    file.write_text("[api]\n" + "".join(f"{name} = {value}\n" for name, value in api.items()))
    return [str(file)]


def test_settings_reach_gunicorn(tmp_path: Path) -> None:
    files = configured(tmp_path, host="127.0.0.1", port=7171, threads=9, sync_wait=12)
    line = serve.command(files, workers=3)
    options = dict(zip(line[4:-1:2], line[5:-1:2], strict=True))
    assert options == {
        "--bind": "127.0.0.1:7171",
        "--worker-class": "gthread",
        "--workers": "3",
        "--threads": "9",
        "--graceful-timeout": "17",
    }
    assert line[-1] == "funcflow.cmd.api:application"


def test_ipv6_addresses_are_bracketed(tmp_path: Path) -> None:
    line = serve.command(configured(tmp_path, host="::1"), workers=1)
    assert line[line.index("--bind") + 1] == "[::1]:7070"


def test_no_open_door(tmp_path: Path) -> None:
    with pytest.raises(errors.ConfigError, match="may not listen on"):
        serve.command(configured(tmp_path, host="0.0.0.0"), workers=1)


def test_the_reason_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (file,) = configured(tmp_path, host="0.0.0.0")
    assert serve.main(["--config-file", file]) == 1
    assert "may not listen on 0.0.0.0" in capsys.readouterr().err


def test_gunicorn_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.ConfigError, match="gunicorn is missing"):
        serve.command(configured(tmp_path), workers=1)
