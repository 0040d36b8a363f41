"""The option ``--identity`` of triggers and compositions, which act as nobody but their owner."""

from __future__ import annotations

import json

import pytest

from funcflow.cli import main
from tests.unit.cli.double import Double

ID = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"
RESTS = {
    "id": ID, "name": "orders", "enabled": False, "status": "disabled",
    "reason": "trust_invalid: the trust was revoked",
}  # fmt: skip


@pytest.mark.parametrize("noun", ["trigger", "composition"])
def test_it_is_lent_by_whoever_asks(double: Double, noun: str) -> None:
    double.will({"id": ID, "name": "x"})
    words = [noun, "update", ID, "--identity", "owner:member,reader", "--endpoint", double.url]
    assert main.main(words) == 0
    sent = {"identity": {"as": "owner", "roles": ["member", "reader"]}}
    assert json.loads(double.seen[-1].body) == sent


@pytest.mark.parametrize("noun", ["trigger", "composition"])
def test_nobody_calls_it(double: Double, capsys: pytest.CaptureFixture[str], noun: str) -> None:
    words = [noun, "update", ID, "--identity", "caller:member", "--endpoint", double.url]
    with pytest.raises(SystemExit, match="2"):
        main.main(words)
    assert "is not owner:ROLE or none" in capsys.readouterr().err
    assert double.seen == []


def test_why_a_trigger_rests_is_shown(double: Double, capsys: pytest.CaptureFixture[str]) -> None:
    double.will({"triggers": [RESTS]})
    assert main.main(["trigger", "list", "-f", "json", "--endpoint", double.url]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["reason"]) == ("disabled", RESTS["reason"])
