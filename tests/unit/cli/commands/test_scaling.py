"""Provisions as people type them."""

from __future__ import annotations

import argparse

import pytest

from funcflow.cli.commands import scaling


def test_a_provision() -> None:
    text = "workers=5,version=2,from=08:00,until=18:00,days=fri-mon,timezone=Europe/Berlin"
    assert scaling.provision(text) == {
        "workers": 5,
        "version": 2,
        "from": "08:00",
        "until": "18:00",
        "days": ["fri", "sat", "sun", "mon"],
        "timezone": "Europe/Berlin",
    }
    assert scaling.provision("workers=1,days=tue")["days"] == ["tue"]


@pytest.mark.parametrize("text", ["", "5", "workers=x", "days=fry", "days=mon-", "hours=1"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        scaling.provision(text)
