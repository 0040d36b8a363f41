"""``funcflow up`` that ends itself with SIGKILL at one point of telling of one function's
executions; :class:`Saboteur` is the service, as tests see it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from funcflow.cli import main as program
from funcflow.conductor.notices import http
from tests.integration import faults
from tests.integration.sabotage import die

_VICTIM = "FUNCFLOW_VICTIM"


def _at(owner: type, name: str, mine: Callable[..., bool], *, done: bool) -> None:
    """Die instead of calling the method, or when it has done its work."""
    real = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        chosen = mine(*args)
        if chosen and not done:
            die()
        answer = real(*args, **kwargs)
        if chosen:
            die()
        return answer

    setattr(owner, name, wrapped)


def _of_notice(self: Any, notice: Any, event: Any, subscription: Any) -> bool:
    return bool(notice.facts["function_name"] == os.environ[_VICTIM])


POINTS: dict[str, Callable[[], None]] = {
    "before it is sent": lambda: _at(http.Http, "send", _of_notice, done=False),
    "after it was sent": lambda: _at(http.Http, "send", _of_notice, done=True),
}


class Saboteur(faults.Embedded):
    """``point``: a key of POINTS, "" for none; ``victim``: name of a function."""

    point = ""
    victim = ""

    def command(self) -> Sequence[str]:
        python, _, _, *words = super().command()
        return [python, "-m", "tests.integration.notices.sabotage", self.point, *words]

    def environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parents[3])
        return {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]),
                _VICTIM: self.victim}  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1]:
        POINTS[sys.argv[1]]()
    sys.exit(program.main(sys.argv[2:]))
