"""How the tests here run an attack and read its outcome."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from funcflow.sandboxes.base import Outcome
from funcflow.sandboxes.process.driver import ProcessSandbox
from tests import sandboxing


def attack(
    sandbox: ProcessSandbox, folder: Path, name: str, input: Any = None, **fields: Any
) -> tuple[Outcome, sandboxing.Log]:
    limits = {"memory_size": fields.pop("memory_size", 128 << 20)}
    what = sandboxing.spec(folder, f"hostile.{name}", **limits)
    return sandboxing.once(sandbox, what, input, **fields)


def value(found: tuple[Outcome, sandboxing.Log]) -> Any:
    outcome, _ = found
    assert outcome.error is None, outcome.error
    return json.loads(outcome.value or "")


def kind(found: tuple[Outcome, sandboxing.Log]) -> str:
    outcome, _ = found
    assert outcome.error is not None, outcome.value
    return outcome.error.type
