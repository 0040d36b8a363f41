"""What a worker says is untrusted; the verdict is in shape whatever it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.sandboxes.stream import verdicts


@pytest.mark.parametrize("text", ["null", "1", '"ä"', '{"a":[1.5,true]}', '"\\u0000"'])
def test_json_text_passes_unchanged(text: str) -> None:
    assert verdicts.value_of({"value": text}, 100) == (text, None)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"value": "NaN"}, "ResultNotJSON"),
        ({"value": "[Infinity]"}, "ResultNotJSON"),
        ({"value": ""}, "ResultNotJSON"),
        ({"value": "1 2"}, "ResultNotJSON"),
        ({"value": '"\0"'}, "ResultNotJSON"),
        ({"value": None}, "ResultNotJSON"),
        ({"value": "9" * 5000}, "ResultNotJSON"),
        ({"value": "[" * 99_999}, "ResultNotJSON"),
        ({"value": '"' + "ä" * 60 + '"'}, "ResultTooLarge"),
        ({"error": {"type": "Mine"}, "value": "1"}, "Mine"),
    ],
)
def test_everything_else_is_an_error(answer: dict[str, Any], kind: str) -> None:
    value, error = verdicts.value_of(answer, 100)
    assert value is None
    assert error is not None
    assert error.type == kind


def test_half_a_character_in_a_result_is_escaped() -> None:
    value, error = verdicts.value_of({"value": '"\ud800"'}, 100)
    assert error is None
    assert value is not None
    assert value.isascii()
    assert json.loads(value) == "\ud800"


@pytest.mark.parametrize(
    "told", [None, 5, "x", [], {}, {"type": None}, {"trace": "x"}, {"trace": [{}] * 500}]
)
def test_errors_take_any_shape(told: Any) -> None:
    error = verdicts.error_of(told)
    assert isinstance(error.type, str)
    assert isinstance(error.message, str)
    assert len(error.trace) <= 64


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"cpu": 1.5, "memory_peak": 7}, (1.5, 7)),
        ({"cpu": -1, "memory_peak": -1}, (0.0, 0)),
        ({"cpu": float("nan"), "memory_peak": 1.5}, (0.0, 0)),
        ({"cpu": "1", "memory_peak": None}, (0.0, 0)),
        ([], (0.0, 0)),
    ],
)
def test_usage_takes_any_shape(told: Any, wanted: tuple[float, int]) -> None:
    assert verdicts.usage_of(told) == wanted


def test_messages_that_clients_read() -> None:
    assert "Function execution timeout" in verdicts.timeout(5).message
    message = verdicts.out_of_memory(32 << 20).message
    assert "Function execution failed because of too much resource consumption" in message
    assert "33554432" in message


@pytest.mark.parametrize(
    ("status", "how"), [(0, "exit code 0"), (-9, "SIGKILL"), (-64, "signal 64"), (3, "exit code 3")]
)
def test_how_a_process_ended(status: int, how: str) -> None:
    assert how in verdicts.exited(status).message
