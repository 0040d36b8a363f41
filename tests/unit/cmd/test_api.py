"""The API process, when not all it needs can be made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import errors
from funcflow.cmd import api
from funcflow.db import schema


def test_what_was_made_is_closed_when_the_rest_cannot_be(tmp_path: Path) -> None:
    """Each request tries again; connections must not pile up meanwhile."""
    file = tmp_path / "funcflow.conf"
    file.write_text(f"[DEFAULT]\ndata_dir = {tmp_path}\n[jobboard]\ndriver = nowhere\n")
    schema.upgrade(config.database_url(config.load([file])))
    with pytest.raises(errors.ConfigError):
        api.make([str(file)])
    assert "db-writer" not in {thread.name for thread in threading.enumerate()}
