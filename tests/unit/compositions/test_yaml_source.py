"""YAML is read as version 1.2 has it, not as PyYAML does."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow.compositions import yaml_source


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("nUll", "nUll"),
        ("1:30", "1:30"),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("2016-08-18", "2016-08-18"),
        ("2016-08-18T17:33:00Z", "2016-08-18T17:33:00Z"),
        ("<<", "<<"),
        ("=", "="),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int '12'", 12),
        ("!!float 12", 12),
        ("|\n  a\n  b", "a\nb"),
        ('"{% $a %}"', "{% $a %}"),
        ("$.a", "$.a"),
        ("<% $.a %>", "<% $.a %>"),
    ],
)
def test_scalars(text: str, value: Any) -> None:
    loaded = yaml_source.load(f"a: {text}", 10)
    assert not loaded.problems
    assert loaded.data == {"a": value}
    assert type(loaded.data["a"]) is type(value)


def test_jsonata_wants_quotes() -> None:
    (problem,) = yaml_source.load("a: 1\nb: {% $a %}", 10).problems
    assert problem.line == 2
    assert problem.hint == 'In YAML an expression needs quotes: "{% … %}".'


@pytest.mark.parametrize("text", ["!!int abc", "!!bool 1", "!!null x", "!!binary aGk=", "!own x"])
def test_tags_that_do_not_fit(text: str) -> None:
    (problem,) = yaml_source.load(f"a: {text}", 10).problems
    assert problem.code == "syntax"
    assert problem.pointer == "/a"


def test_keys_are_texts_as_written() -> None:
    loaded = yaml_source.load("404: a\ntrue: b\n1.0: c\nnull: d\n", 10)
    assert loaded.data == {"404": "a", "true": "b", "1.0": "c", "null": "d"}


def test_aliases_are_written_out() -> None:
    loaded = yaml_source.load("a: &x {b: [1]}\nc: *x\n", 10)
    assert loaded.data == {"a": {"b": [1]}, "c": {"b": [1]}}


def test_an_alias_to_itself_is_refused() -> None:
    (problem,) = yaml_source.load("a: &x [*x]", 10).problems
    assert problem.message == "No anchor &x before this"
    assert problem.pointer == "/a/0"


def test_problems_do_not_stop_at_the_first() -> None:
    loaded = yaml_source.load("a: .inf\nb: *no\nc: 1\nc: 2\n", 10)
    assert [problem.line for problem in loaded.problems] == [1, 2, 4]
