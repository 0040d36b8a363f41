from __future__ import annotations

import io

from funcflow.cli.progress import Elapsed, ProgressBar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal() -> None:
    terminal = _Terminal()
    with ProgressBar("uploading", terminal) as progress:
        for done in range(0, 1025, 256):
            progress(done, 1024)

    frames = terminal.getvalue().split("\r")
    assert frames[-1] == f"uploading [{'#' * 30}] 100 % of 1 KiB\n"
    assert len(frames) == 6


def test_progress_is_silent_elsewhere() -> None:
    pipe = io.StringIO()
    with ProgressBar("uploading", pipe) as progress:
        progress(1, 1)

    assert pipe.getvalue() == ""


def test_the_time_that_passes_is_told_on_a_terminal_and_wiped() -> None:
    terminal = _Terminal()
    with Elapsed("saga", terminal) as elapsed:
        assert elapsed.shown
        elapsed()

    assert terminal.getvalue().startswith("\rsaga: running, ")
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_time_passes_in_silence_elsewhere() -> None:
    pipe = io.StringIO()
    for stream in (pipe, None):
        with Elapsed("saga", stream) as elapsed:
            assert not elapsed.shown
            elapsed()

    assert pipe.getvalue() == ""
