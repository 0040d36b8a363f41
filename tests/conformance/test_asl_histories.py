"""Whole histories, event by event with their details, where their order is fixed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.conformance import cases
from tests.conformance.differences import DIFFERS
from tests.conformance.test_asl import EXECUTIONS, executed

pytestmark = pytest.mark.skipif(cases.folder() is None, reason="no recorded cases here")

#: Things only AWS has, and names the recorder replaced in some places.
IGNORED = ("roleArn", "region", "SdkHttpMetadata", "SdkResponseMetadata", "requestId")
IGNORED += ("stackTrace", "RedriveCount")
REPLACED = ("timestamp", "lambda_function_name", "snf_role_arn", "date")
#: AWS lets these follow from the event before the state, now and then.
ANY_PREVIOUS = {"EvaluationFailed", "ExecutionAborted"}

#: The order of their events is fixed.
NAMES = [
    name
    for name in sorted(set(EXECUTIONS) & set(cases.names("asl-histories")) - set(DIFFERS))
    if cases.load("asl", name)["expect"].get("history_ordered")
]


@pytest.mark.parametrize("name", NAMES)
def test_history(name: str) -> None:
    case = cases.load("asl", name)
    expect = case["expect"]
    recorded: Any = cases.load("asl-histories", name)
    tokens = [*expect.get("wildcard_tokens", ()), *REPLACED]
    tokens += re.findall(r"<[\w:-]+>", str(recorded))
    ignored = [*IGNORED, *expect.get("ignore_keys", ())]
    for wanted, event in zip(recorded, executed(case).history, strict=True):
        got = event.wire()
        if wanted["type"] in ANY_PREVIOUS:
            got["previousEventId"] = wanted["previousEventId"]
        assert (
            cases.difference(
                cases.normal(drop_empty(wanted)),
                cases.normal(drop_empty(got)),
                ["timestamp", *tokens],
                ignored,
            )
            is None
        )


def drop_empty(event: dict[str, Any]) -> dict[str, Any]:
    """Details without anything in them may be there or not."""
    return {key: value for key, value in event.items() if value != {}}
