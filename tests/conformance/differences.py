"""Recorded cases where funcflow means to differ, each with the reason.

The tests expect exactly these to fail: a case that comes to agree must leave the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

#: Of all recorded cases, these may differ at most.
MOST = 0.02

#: Case -> why.
DIFFERS: dict[str, str] = {
    "local_mocking_base_callbacks__test_sfn_start_execution_sync_SFN_SYNC": (
        "redrive fields that the other recordings of the same call do not have"
    ),
    "timeouts_timeouts__test_service_lambda_map_timeout": (
        "tasks of one Map that time out in the same instant: the first one ends the others"
    ),
}

#: Case -> why its cause is worded otherwise; all else about it agrees.
CAUSES: dict[str, str] = {}


def marked(names: Iterable[str]) -> list[Any]:
    """The names as parameters, those that differ marked so."""
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=DIFFERS[name], strict=True))
        if name in DIFFERS
        else name
        for name in names
    ]
