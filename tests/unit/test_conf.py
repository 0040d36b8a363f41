"""Folders and files that the configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import errors


def test_folders_hold_for_processes_that_work_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    conf = config.load(default={"data_dir": "data"}, store={"path": "kept"})

    assert config.data_dir(conf) == tmp_path / "data"
    assert config.sub_dir(conf, conf.store.path, "packages") == tmp_path / "kept"
    assert config.sub_dir(conf, conf.store.cache, "cache") == tmp_path / "data/cache"
    assert config.database_url(conf) == f"sqlite:///{tmp_path}/data/funcflow.db"
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    conf = config.load(default={"data_dir": str(tmp_path / "file/data")})

    with pytest.raises(errors.ConfigError, match="cannot be made: Not a directory") as told:
        config.data_dir(conf)

    assert "--data-dir" in told.value.hint


@pytest.mark.parametrize("text", ["[api]\nport = many\n", "no section\n"])
def test_a_file_with_a_mistake_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "funcflow.conf"
    file.write_text(text)

    with pytest.raises(errors.ConfigError):
        config.load([file])


def test_a_value_out_of_range_is_told() -> None:
    with pytest.raises(errors.ConfigError, match="65535"):
        config.load(api={"port": 99999})
