"""``/v1/workflow-notifications``: believed with its key alone, and then not much."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import ids, workflows
from tests.api.client import Api

PATH = "/v1/workflow-notifications"


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"id": 5},
        {"id": "../../etc"},
        {"id": ids.new(), "state": "SUCCESS"},
        {"id": ids.new(), "root_execution_id": ids.new()},
    ],
)
def test_who_has_no_key_is_told_nothing(api: Api, told: dict[str, Any]) -> None:
    for key in ("", "wrong", "\xe4"):
        answer = api("POST", PATH, told, headers={workflows.KEY_HEADER: key})
        assert (answer.status, answer.code) == (404, "not_found")


def test_no_more_than_a_notification_is_read(api: Api) -> None:
    assert api("POST", PATH, {"id": "x" * 100_000}).status == 413
