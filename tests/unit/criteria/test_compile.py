"""Criteria, inputs and keys: what they say of events, and what is refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from funcflow import criteria
from funcflow.compositions.failures import Failure
from funcflow.criteria.compile import scope_of

NOW = 1_800_000_000.0
DATA: dict[str, Any] = {
    "status": "ERROR", "load": 0.9, "count": "12", "zero": 0, "yes": True, "none": None,
    "path": "a/b/c", "tags": ["Red", "blue"], "at": "2027-01-15T08:00:00Z", "dotted.name": 1,
    "hosts": [{"name": "db1", "up": True}, {"name": "web1", "up": False}],
}  # fmt: skip
EVENT: dict[str, Any] = {"id": "1", "source": "/s", "type": "t.created", "data": DATA}
AT = 1_800_000_000.0  # 2027-01-15T08:00:00Z


def matches(told: Any, now: float = NOW) -> bool:
    scope = scope_of(EVENT, {"id": "t"}, now)
    return all(v.matched for v in criteria.compile_criteria(told).verdicts(scope, now))


def condition(path: str, type_: str, pattern: Any = None, **more: Any) -> dict[str, Any]:
    told = {"type": type_, **more}
    return {path: told if type_ in ("exists", "nexists") else {**told, "pattern": pattern}}


@pytest.mark.parametrize(
    ("path", "type_", "yes", "no"),
    [
        ("data.status", "equals", "ERROR", "error"),
        ("data.yes", "eq", True, 1),
        ("data.zero", "equals", 0, False),
        ("data.status", "iequals", "error", "fine"),
        ("data.status", "nequals", "fine", "ERROR"),
        ("data.status", "contains", "RRO", "rro"),
        ("data.tags", "contains", "blue", "red"),
        ("data.status", "icontains", "rro", "xyz"),
        ("data.tags", "icontains", "red", "green"),
        ("data.status", "ncontains", "x", "E"),
        ("data.status", "incontains", "x", "e"),
        ("data.status", "startswith", "ER", "er"),
        ("data.status", "istartswith", "er", "rr"),
        ("data.status", "endswith", "OR", "or"),
        ("data.status", "iendswith", "or", "er"),
        ("data.status", "regex", "R+O", "^R"),
        ("data.path", "regex", "b/c", "b//c"),
        ("data.path", "regex", "b\\/c", "c/b"),
        ("data.status", "iregex", "^err", "^rr"),
        ("data.status", "matchregex", "E.R", "RR"),
        ("data.path", "matchwildcard", "a/*c", "a/?"),
        ("data.path", "matchwildcard", "?/b/*", "[a]/*"),
        ("data.load", "lessthan", 1, 0.9),
        ("data.load", "greaterthan", 0.5, "0.9"),
        ("data.count", "gt", "11", "12"),
        ("data.status", "inside", ["OK", "ERROR"], ["OK"]),
        ("data.status", "in", "NO ERROR", "no error"),
        ("data.status", "ninside", ["OK"], ["ERROR"]),
        ("data.at", "timediff_lt", 10, -10),
        ("data.at", "timediff_gt", -10, 10),
        ("trigger.status", "equals", "ERROR", "x"),
        ("event.type", "equals", "t.created", "t"),
        ("data.hosts.1.name", "equals", "web1", "db1"),
        ("data.dotted.name", "equals", 1, 2),
        ("data.status#again", "equals", "ERROR", "x"),
    ],
)
def test_operators(path: str, type_: str, yes: Any, no: Any) -> None:
    assert matches(condition(path, type_, yes), AT)
    assert not matches(condition(path, type_, no), AT)


def test_what_is_missing_matches_only_its_absence() -> None:
    assert matches(condition("data.status", "exists"))
    assert not matches(condition("data.gone", "exists"))
    assert matches(condition("data.gone", "nexists"))
    assert matches(condition("data.none", "nexists"))
    assert not matches(condition("data.status", "nexists"))
    for type_ in ("nequals", "ncontains", "ninside"):
        assert not matches(condition("data.gone", type_, "x"))


def test_searches() -> None:
    named = {"item.name": {"type": "startswith", "pattern": "db"}}
    up = {"item.up": {"type": "equals", "pattern": True}}
    assert matches(condition("data.hosts", "search", named, condition="any"))
    assert not matches(condition("data.hosts", "search", named, condition="all"))
    assert matches(condition("data.hosts", "search", named | up, condition="any"))
    down = {"item.up": {"type": "equals", "pattern": False}}
    assert not matches(condition("data.hosts", "search", named | down, condition="any"))
    assert matches(condition("data.hosts", "search", named | down, condition="all2any"))
    assert not matches(condition("data.gone", "search", named, condition="any"))


def test_all_conditions_must_hold_and_each_says_its_own() -> None:
    told = {**condition("data.status", "equals", "ERROR"), **condition("type", "equals", "x")}
    verdicts = criteria.compile_criteria(told).verdicts(scope_of(EVENT, {}, NOW), NOW)
    assert [v.matched for v in verdicts] == [True, False]
    assert verdicts[1].criterion == 'type equals "x"'
    assert verdicts[1].value == "t.created"


@pytest.mark.parametrize(
    "text",
    [
        "{% $event.data.load > 0.5 and $event.type = 't.created' %}",
        "<% $event.data.load > 0.5 %>",
        "<% $.data.status = 'ERROR' %>",
        "{% $trigger.id = 't' %}",
    ],
)
def test_expressions(text: str) -> None:
    assert matches(text)


def test_an_expression_that_is_no_truth_value_or_fails_does_not_match() -> None:
    scope = scope_of(EVENT, {}, NOW)
    (verdict,) = criteria.compile_criteria("<% $event.data.load %>").verdicts(scope, NOW)
    assert not verdict.matched
    assert "true or false" in str(verdict.problem)
    (verdict,) = criteria.compile_criteria("<% $event.data.gone %>").verdicts(scope, NOW)
    assert not verdict.matched
    assert verdict.problem


@pytest.mark.parametrize(
    "told",
    [
        "data.status", "{% $event.( %}", "<% $event.( %>", "{% $other.x %}", 7,
        {"data.x": "ERROR"}, {"data.x": {"pattern": 1}}, {"data.x": {"type": "equals"}},
        {"data.x": {"type": "resembles", "pattern": 1}}, {"": {"type": "exists"}},
        {"data..x": {"type": "exists"}},
        {"data.x": {"type": "regex", "pattern": "("}},
        {"data.x": {"type": "regex", "pattern": "a)|(b"}},
        {"data.x": {"type": "regex", "pattern": "a" * 1001}},
        {"data.x": {"type": "lt", "pattern": "soon"}},
        {"data.x": {"type": "inside", "pattern": 7}},
        {"data.x": {"type": "equals", "pattern": 1, "condition": "any"}},
        {"data.x": {"type": "equals", "pattern": 1, "operator": "x"}},
        {"data.x": {"type": "search", "pattern": {"x": {"type": "exists"}}}},
        {"data.x": {"type": "search", "condition": "some", "pattern": {}}},
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_at_once(told: Any) -> None:
    with pytest.raises(criteria.BadCriteria):
        criteria.compile_criteria(told)


def test_no_pattern_takes_for_ever() -> None:
    """What backtracks without end elsewhere ends here."""
    long = {"id": "1", "source": "s", "data": {"x": "a" * 50_000 + "!"}}
    started = time.process_time()
    for pattern in ("(a+)+$", "(a|aa)+$", "^(a|a?)+$", "(.*a){12}$"):
        told = criteria.compile_criteria(condition("data.x", "regex", pattern))
        (verdict,) = told.verdicts(scope_of(long, {}, NOW), NOW)
        assert not verdict.matched
    wild = criteria.compile_criteria(condition("data.x", "matchwildcard", "*a" * 100 + "b"))
    assert not wild.verdicts(scope_of(long, {}, NOW), NOW)[0].matched
    assert time.process_time() - started < 20


def test_inputs() -> None:
    scope = scope_of(EVENT, {"id": "t", "name": "n"}, NOW)
    made = criteria.compile_input(
        {"s": "<% $event.data.status %>", "n": 1, "t": "<% $trigger.name %>"}
    )
    assert made.text(scope) == '{"s":"ERROR","n":1,"t":"n"}'
    assert criteria.compile_input("{% $event.data.tags %}").text(scope) == '["Red","blue"]'
    assert criteria.compile_input("host <% $event.data.path %>!").text(scope) == '"host a/b/c!"'
    assert '"id":"1"' in criteria.compile_input(None).text(scope)
    with pytest.raises(Failure):
        criteria.compile_input("<% $event.data.gone %>").text(scope)
    for bad in ("{% $event. %}", {"a": "<% $other %>"}, {"a": "{% 1 %}", "b": "<% 1 %>"}):
        with pytest.raises(criteria.BadInput):
            criteria.compile_input(bad)


def test_keys() -> None:
    def key(told: str | None, **fields: Any) -> str:
        scope = scope_of({**EVENT, **fields}, {}, NOW)
        return criteria.compile_key(told).digest(scope)

    assert key(None) == key(None, data=1)
    assert key(None) != key(None, id="2")
    assert key(None) != key(None, source="/other")
    assert key("<% $event.data.status %>") == key("<% $event.data.status %>", id="2")
    with pytest.raises(criteria.BadCriteria):
        criteria.compile_key("<% ( %>")
