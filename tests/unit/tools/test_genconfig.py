"""The samples are made from the code, and speak of no particular machine."""

from __future__ import annotations

from pathlib import Path

from funcflow import conf
from tools import genconfig


def test_the_sample_is_up_to_date() -> None:
    assert genconfig.SAMPLE.read_text() == genconfig.render(), "run python -m tools.genconfig"


def test_the_sample_policy_is_up_to_date() -> None:
    assert genconfig.POLICY.read_text() == genconfig.render_policy(), "run tools.genconfig"


def test_every_option_is_in_it() -> None:
    sample = genconfig.SAMPLE.read_text()
    for group, options in conf.list_opts():
        section = sample.partition(f"[{group}]\n")[2].partition("\n[")[0]
        for option in options:
            assert f"#{option.dest} =" in section, f"{group}.{option.dest}"


def test_no_home_folder_in_it() -> None:
    assert str(Path.home()) not in genconfig.SAMPLE.read_text()


def test_the_sample_can_be_loaded() -> None:
    loaded = conf.load([genconfig.SAMPLE])
    assert loaded.api.port == 7070
