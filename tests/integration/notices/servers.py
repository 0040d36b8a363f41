"""Embedded servers that tell of executions, for the tests beside this."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from funcflow.cmd import up
from tests.api.client import Api

SOURCE = """
def main(fail=False, **rest):
    if fail:
        raise ValueError("canary-in-the-message")
    return "canary-in-the-output"
"""


@contextlib.contextmanager
def telling(folder: Path, settings: str) -> Iterator[Api]:
    """The API of a server with these settings, over the data of an earlier one if there was."""
    file = folder / "funcflow.conf"
    file.write_text(settings)
    server = up.Server(
        up.load(up.Options(port=0, data_dir=str(folder / "data"), config_files=[file]))
    )
    try:
        yield Api(server.url)
    finally:
        server.stop()
