from __future__ import annotations

import io

from funcflow.cli.progress import ProgressBar


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
