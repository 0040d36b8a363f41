"""JSONPaths: what they find, what they refuse, how results are put."""

from __future__ import annotations

import pytest

from funcflow.compositions.expressions import (
    MISSING,
    Malformed,
    Scope,
    compile_path,
    compile_reference,
)
from funcflow.compositions.failures import DATA_LIMIT, RESULT_PATH, RUNTIME, Failure

BOOKS = [
    {"title": "A", "price": 8.95, "tags": ["x"], "isbn": "1-2"},
    {"title": "B", "price": 12, "tags": []},
    {"title": "C", "price": 22.99, "tags": ["x", "y"]},
]
INPUT = {
    "store": {"book": BOOKS, "bicycle": {"price": 19.95}},
    "delivery-partner": 1,
    "naïve": 2,
    "two words": 3,
    "ns:tag": 6,
    "@at": 7,
    'Te\\"st': 4,
    "it's": 5,
    "null": None,
    "text": "abc",
    "matrix": [[1, 2], [3, 4]],
}
SCOPE = Scope(
    INPUT,
    {"Execution": {"Id": "e-1"}, "Map": {"Item": {"Index": 0}}},
    {"count": 7, "order": {"lines": [1, 2]}},
)

FOUND = [
    ("$", INPUT),
    ("$.store.book[1].title", "B"),
    ("$.store.book[-1].title", "C"),
    ("$['store']['bicycle'].price", 19.95),
    ('$["two words"]', 3),
    ("$.delivery-partner", 1),
    ("$.naïve", 2),
    ("$['Te\\\"st']", 4),
    ("$['it\\'s']", 5),
    ("$.null", None),
    ("$.ns:tag", 6),
    ("$.matrix.[1].[0]", 3),
    ("$.@at", 7),
    ("$.matrix[1][0]", 3),
    ("$$.Execution.Id", "e-1"),
    ("$$", SCOPE.context),
    ("$count", 7),
    ("$order.lines[1]", 2),
    ("$order", {"lines": [1, 2]}),
    ("$.store.book[*].title", ["A", "B", "C"]),
    ("$.store.book[0,2].title", ["A", "C"]),
    ("$.store.book[1:].title", ["B", "C"]),
    ("$.store.book[:-1].title", ["A", "B"]),
    ("$.store.book[::2].title", ["A", "C"]),
    ("$.store.book[(@.length-1)].title", "C"),
    ("$.store.book[0]['title','price']", ["A", 8.95]),
    ("$.store.*.price", [19.95]),
    ("$..price", [8.95, 12, 22.99, 19.95]),
    ("$.store..price", [8.95, 12, 22.99, 19.95]),
    ("$..book[0].title", ["A"]),
    ("$..*.none", []),
    ("$.store.book[?(@.price < 10)].title", ["A"]),
    ("$.store.book[?(@.price >= 12 && @.price < 20)].title", ["B"]),
    ("$.store.book[?(@.price>20||@.title=='A')].title", ["A", "C"]),
    ("$.store.book[?(@.isbn)].title", ["A"]),
    ("$.store.book[?(!@.isbn)].title", ["B", "C"]),
    ("$.store.book[?(!(@.title == 'A') && @.title != 'B')].title", ["C"]),
    ("$.store.book[?(@.title =~ /a|b/i)].title", ["A", "B"]),
    (r"$.store.book[?(@.title =~ /A\/?/)].title", ["A"]),
    ("$.store.book[?(@.title in ['B', 'C'])].title", ["B", "C"]),
    ("$.store.book[?(@.title nin ['B', 'C'])].title", ["A"]),
    ("$.store.book[?(@.tags contains 'y')].title", ["C"]),
    ("$.store.book[?(@.tags size 1)].title", ["A"]),
    ("$.store.book[?(@.tags empty true)].title", ["B"]),
    ("$.store.book[?(@.tags subsetof ['x'])].title", ["A", "B"]),
    ("$.store.book[?(@.tags anyof ['y'])].title", ["C"]),
    ("$.store.book[?(@.tags noneof ['y'])].title", ["A", "B"]),
    ("$.store.book[?(@.price > $.store.bicycle.price)].title", ["C"]),
    ("$.store.book[?(@.price == '12')].title", []),
    ("$.store.book[?(@.price == 12.0)].title", ["B"]),
    ("$.matrix[?(@[0] == 3)]", [[3, 4]]),
    ("$.store.book.length()", 3),
    ("$..price.max()", 22.99),
    ("$.matrix[0].sum()", 3),
    ("$.matrix[0].avg()", 1.5),
    ("$.store.keys()", ["book", "bicycle"]),
    ("$.text.length()", 3),
    # An indefinite path gives a list even where its parents are not there.
    ("$.nothing.at[*].all", []),
    ("$.text[*]", []),
]


@pytest.mark.parametrize(("text", "value"), FOUND, ids=[text for text, _ in FOUND])
def test_a_path_gives_what_it_names(text: str, value: object) -> None:
    assert compile_path(text).evaluate(SCOPE) == value


@pytest.mark.parametrize(
    "text",
    [
        "$.nothing",
        "$.store.nothing.deeper",
        "$.store.book[3]",
        "$.store.book[-4]",
        "$.text.length",
        "$.text[0]",
        "$.store[0]",
        "$.null.x",
        "$undefined",
        "$$.Nothing",
        "$.nothing.length()",
        "$.store.first()",
    ],
)
def test_a_definite_path_that_finds_nothing_fails(text: str) -> None:
    path = compile_path(text)
    assert path.find(SCOPE) is MISSING
    with pytest.raises(Failure) as failure:
        path.evaluate(SCOPE)
    assert failure.value.error == RUNTIME
    assert f"Invalid path '{text}'" in failure.value.cause


def test_the_cause_names_the_path_as_aws_does() -> None:
    with pytest.raises(Failure) as failure:
        compile_path("$.a.b").evaluate(Scope({}))
    assert failure.value.cause == "Invalid path '$.a.b' : No results for path: $['a']['b']"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a.b",
        ".a",
        "$.",
        "$..",
        "$...a",
        "$a b",
        "$.a b",
        "$.a[",
        "$.a[]",
        "$.a['b",
        "$.a[1",
        "$.a[x]",
        "$.a['b',1]",
        "$.a[::0]",
        "$.a[?(@.b]",
        "$.a[?(@.b ==)]",
        "$.a[?@.b]",
        "$.a[?(@.b =~ x)]",
        "$.a[?(@.b =~ /(/)]",
        "$.a.nothing()",
        "$.a.length().b",
        "$states.input",
        "States.Format('{}', 1)",
        "$.a" + "[0]" * 2000,
        "$.a[?(" + "(" * 100 + "@.b" + ")" * 100 + ")]",
    ],
)
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(Malformed) as malformed:
        compile_path(text)
    assert malformed.value.message


def test_a_path_tells_its_kind_and_its_variable() -> None:
    assert compile_path("$.a[0]").reference
    assert compile_path("$.a[-1]").definite
    assert not compile_path("$.a[-1]").reference
    assert not compile_path("$.a[*]").definite
    assert compile_path("$order.lines").variables == {"order"}
    assert compile_path("$.order").variables == frozenset()
    assert compile_path("$$.order").variables == frozenset()


PUT = [
    ("$", {"a": 1}, {"new": 0}),
    ("$.b", {"a": 1}, {"a": 1, "b": {"new": 0}}),
    ("$.a", {"a": 1}, {"a": {"new": 0}}),
    ("$.a.b.c", {}, {"a": {"b": {"c": {"new": 0}}}}),
    ("$.a.x", {"a": {"y": 1}}, {"a": {"y": 1, "x": {"new": 0}}}),
    ("$.a[1]", {"a": [1, 2]}, {"a": [1, {"new": 0}]}),
    ("$['a b'].c", {"a b": {}}, {"a b": {"c": {"new": 0}}}),
]


@pytest.mark.parametrize(("text", "document", "result"), PUT)
def test_a_result_is_put_beside_what_was_there(text: str, document: object, result: object) -> None:
    before = repr(document)
    assert compile_reference(text).put(document, {"new": 0}) == result
    assert repr(document) == before


@pytest.mark.parametrize(
    ("text", "document"),
    [
        ("$.a.b", {"a": "text"}),
        ("$.a.b", {"a": None}),
        ("$.a", [1]),
        ("$.a", None),
        ("$.a[2]", {"a": [1, 2]}),
        ("$.a[0]", {"a": {}}),
        ("$.a[0]", {}),
    ],
)
def test_a_result_without_a_place_fails(text: str, document: object) -> None:
    with pytest.raises(Failure) as failure:
        compile_reference(text).put(document, 1)
    assert failure.value.error == RESULT_PATH


@pytest.mark.parametrize(
    "text",
    ["$$.a", "$v", "$.a:b", "$.@a", "$.a?", "$.a[*]", "$..a", "$.a[-1]", "$.a[0:1]", "$.a.keys()"],
)
def test_a_reference_path_is_plain_and_begins_at_the_input(text: str) -> None:
    with pytest.raises(Malformed):
        compile_reference(text)


def test_a_path_that_visits_too_much_fails() -> None:
    node: dict[str, object] = {}
    for _ in range(300):
        node = {"a": node, "b": [node]}
    with pytest.raises(Failure) as failure:
        compile_path("$..*..*..*").evaluate(Scope(node))
    assert failure.value.error == RUNTIME


def test_a_path_that_finds_too_much_fails() -> None:
    node: object = "x" * 30_000
    for _ in range(900):
        node = {"a": node}
    with pytest.raises(Failure) as failure:
        compile_path("$..a").evaluate(Scope(node))
    assert failure.value.error == DATA_LIMIT


def test_a_pattern_cannot_stop_the_process() -> None:
    items = [{"t": "a" * 40 + "!"}]
    assert compile_path("$[?(@.t =~ /(a+)+/)]").evaluate(Scope(items)) == []
    with pytest.raises(Failure):
        compile_path(r"$[?(@.t =~ /(a+)+\1x/)]").evaluate(Scope(items))
