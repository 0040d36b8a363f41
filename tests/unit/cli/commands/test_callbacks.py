"""``callback list`` and ``callback redrive``, as people type them."""

from __future__ import annotations

import json

import pytest

from funcflow.cli import main
from tests.unit.cli.double import Double

ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


def test_dead_ones_are_listed(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    double.will({"callbacks": [{"execution_id": ID, "stage": "dead", "reason": "revoked"}]})
    typed = ["callback", "list", "--stage", "dead", "--endpoint", double.url, "-f", "json"]
    assert main.main(typed) == 0
    assert double.seen[0].path.startswith("/v1/callbacks?stage=dead")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["execution_id"], row["reason"]) == (ID, "revoked")


def test_some_cannot_be_redriven(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    double.will({"error": {"message": "is not dead"}}, status=409)
    double.will({"execution_id": ID})
    assert main.main(["callback", "redrive", "a", ID, "--endpoint", double.url]) == 1
    assert [seen.path for seen in double.seen] == [
        "/v1/callbacks/a/redrive",
        f"/v1/callbacks/{ID}/redrive",
    ]
    shown = capsys.readouterr()
    assert "1 redriven" in shown.out + shown.err
