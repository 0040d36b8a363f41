"""The board's file: its clock, the dead, and damage."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow.jobboards.embedded import file as board_file
from funcflow.jobboards.embedded import sessions


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "board.db"


@pytest.fixture
def file(path: Path) -> Iterator[board_file.BoardFile]:
    file = board_file.BoardFile(path)
    yield file
    file.close()


def epoch_of(path: Path) -> int:
    file = board_file.BoardFile(path)
    try:
        return file.epoch()
    finally:
        file.close()


def test_epochs_grow_over_processes_and_files(path: Path, file: board_file.BoardFile) -> None:
    first = file.epoch()
    assert epoch_of(path) > first
    path.unlink()
    assert epoch_of(path) > first
    assert file.epoch() < 2**63


def test_epochs_grow_over_a_reboot_with_the_clock_set_back(
    path: Path, file: board_file.BoardFile
) -> None:
    far = time.time_ns() + 3600 * 10**9
    file.db.execute("UPDATE clock SET boot = 'before', high = ?", (far,))
    assert epoch_of(path) > far


def test_a_damaged_file_is_made_anew(path: Path) -> None:
    board_file.BoardFile(path).close()
    path.write_bytes(b"not a database at all" * 400)
    file = board_file.BoardFile(path)
    assert file.db.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    file.close()


def test_a_file_of_before_compositions_has_jobs_of_functions(path: Path) -> None:
    old = sqlite3.connect(path, isolation_level=None)
    old.execute(
        "CREATE TABLE jobs (id TEXT PRIMARY KEY, shard INTEGER NOT NULL, project_id TEXT,"
        " function_id TEXT, posting TEXT, created_at REAL, modified_at REAL, owner TEXT,"
        " who TEXT, epoch INTEGER) WITHOUT ROWID"
    )
    old.execute("INSERT INTO jobs (id, shard, project_id, function_id) VALUES ('e', 0, 'p', 'f')")
    old.close()
    for _ in range(2):
        file = board_file.BoardFile(path)
        assert file.db.execute("SELECT id, kind FROM jobs").fetchall() == [("e", "function")]
        file.close()


def test_a_dead_process_is_known(file: board_file.BoardFile) -> None:
    me = file.process()
    assert not file.is_gone(me)
    boot, namespace, _, _ = me.split()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        started = board_file._started(child.pid)
        theirs = f"{boot} {namespace} {child.pid} {started}"
        assert not file.is_gone(theirs)
    assert file.is_gone(theirs)
    assert file.is_gone(f"earlier {namespace} {child.pid} {started}")
    assert not file.is_gone(f"{boot} pid:[1] {child.pid} {started}")


def test_the_sessions_of_a_dead_process_end(file: board_file.BoardFile) -> None:
    boot, namespace, pid, _ = file.process().split()
    far = time.monotonic_ns() + 10**12
    for name, process in [("mine", file.process()), ("dead", f"{boot} {namespace} {pid} 1")]:
        file.db.execute(
            "INSERT INTO sessions (name, process, lease) VALUES (?, ?, ?)", (name, process, far)
        )
        file.db.execute(
            "INSERT INTO jobs (id, shard, owner, epoch) VALUES (?, 0, ?, 1)", (name, name)
        )
    assert sessions.expire(file, time.monotonic_ns())
    assert sessions.count(file.db) == 1
    rows = file.db.execute("SELECT id, owner, epoch FROM jobs ORDER BY id").fetchall()
    assert rows == [("dead", None, None), ("mine", "mine", 1)]
    assert not sessions.expire(file, time.monotonic_ns())


def test_a_transaction_is_all_or_nothing(file: board_file.BoardFile) -> None:
    def half() -> None:
        with board_file.transaction(file.db):
            file.db.execute("INSERT INTO trash VALUES ('a', 'b')")
            raise KeyError

    with pytest.raises(KeyError):
        half()
    assert file.db.execute("SELECT count(*) FROM trash").fetchone() == (0,)
