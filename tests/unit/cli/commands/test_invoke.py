"""Ends of a call that a working server does not give on demand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from funcflow.cli import main
from tests.unit.cli.double import Double

ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


def _execution(state: str, **more: Any) -> dict[str, Any]:
    return {"id": ID, "state": state, "error": None, "reason": None, "result": None, **more}


def _invoke(double: Double, *words: str) -> int:
    return main.main(["invoke", "hello", *words, "--endpoint", double.url])


def test_when_the_server_stops_waiting_the_command_goes_on(
    double: Double, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("funcflow.cli.commands.invoke._POLL", 0)
    double.will(_execution("running"), status=202)
    double.will(_execution("running"))
    double.will(_execution("succeeded", result='{"output": [1], "duration": 61.2}'))

    assert _invoke(double) == 0

    assert json.loads(capsys.readouterr().out) == [1]
    assert [seen.method for seen in double.seen] == ["POST", "GET", "GET"]


@pytest.mark.parametrize(
    ("execution", "told"),
    [
        (_execution("dead", reason="attempts"), "Error: the execution is dead (attempts)"),
        (_execution("lost"), "Error: the execution is lost"),
        (_execution("cancelled"), "Error: the execution is cancelled"),
        (
            _execution("failed", error={"type": "Timeout", "message": "5 s", "trace": []}),
            "Timeout: 5 s",
        ),
    ],
)
def test_an_end_without_a_value_is_told(
    double: Double, capsys: pytest.CaptureFixture[str], execution: dict[str, Any], told: str
) -> None:
    double.will(execution, status=201)

    assert _invoke(double) == 1

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"{told}\nExecution: {ID}\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [('"two\\nlines"', "two\nlines\n"), ("null", "null\n"), ('{"é": 1}', '{"é": 1}\n')],
)
def test_text_is_printed_as_it_is_and_the_rest_as_json(
    double: Double, capsys: pytest.CaptureFixture[str], value: str, text: str
) -> None:
    double.will(_execution("succeeded", result=f'{{"output": {value}, "duration": 0}}'))

    assert _invoke(double) == 0

    assert capsys.readouterr().out == text


@pytest.mark.parametrize("words", [["invoke"], ["invoke", "hello", "--alias", "prod"]])
def test_a_function_or_an_alias_is_named(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(words) == 1

    assert "not both" in capsys.readouterr().err


def test_text_that_was_meant_as_json_is_pointed_out(
    double: Double, capsys: pytest.CaptureFixture[str]
) -> None:
    double.will(_execution("succeeded", result='{"output": 1, "duration": 0}'))

    assert _invoke(double, "--input", '{"a": 1') == 0

    assert "the input is not JSON" in capsys.readouterr().err
    assert json.loads(double.seen[0].body)["input"] == '{"a": 1'


def test_an_identity_is_lent_when_that_is_said(double: Double) -> None:
    for words, sent in (((), None), (("--lend-identity",), True)):
        double.will(_execution("succeeded", result='{"output": 1, "duration": 0}'), status=201)
        assert _invoke(double, *words) == 0
        assert json.loads(double.seen[-1].body).get("lend_identity") is sent
