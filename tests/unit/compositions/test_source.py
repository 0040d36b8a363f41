"""Text and data become the same plain data, and everything finds its line again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funcflow.compositions import source
from funcflow.compositions.problems import Invalid, Problem

JSON = """{
  "StartAt": "A/B",
  "States": {
    "A/B": {"Type": "Choice", "Choices": [ {"Next": "x"},
      {"Next": "y"}]},
    "~": 1.5e3
  }
}"""

YAML = """\
# A comment
StartAt: A/B
States:
  A/B:
    Type: Choice
    Choices:
      - Next: x
      - Next: y
  "~": 1.5e3
"""


def refused(text: Any) -> list[Problem]:
    with pytest.raises(Invalid) as caught:
        source.read(text)
    return list(caught.value.problems)


@pytest.mark.parametrize("text", [JSON, YAML, json.loads(JSON)], ids=["json", "yaml", "data"])
def test_all_forms_are_the_same_data(text: Any) -> None:
    assert source.read(text).data == json.loads(JSON)


@pytest.mark.parametrize(
    ("text", "pointer", "place"),
    [
        (JSON, "", (1, 1)),
        (JSON, "/StartAt", (2, 3)),
        (JSON, "/States/A~1B", (4, 5)),
        (JSON, "/States/A~1B/Choices/0", (4, 44)),
        (JSON, "/States/A~1B/Choices/1/Next", (5, 8)),
        (JSON, "/States/~0", (6, 5)),
        (JSON, "/States/A~1B/Choices/1/Missing/Deeper", (5, 7)),
        (YAML, "", (2, 1)),
        (YAML, "/States/A~1B", (4, 3)),
        (YAML, "/States/A~1B/Choices/1", (8, 9)),
        (YAML, "/States/A~1B/Choices/1/Next", (8, 9)),
        (YAML, "/States/~0", (9, 3)),
    ],
)
def test_pointers_have_places(text: str, pointer: str, place: tuple[int, int]) -> None:
    assert source.read(text).locate([pointer]) == {pointer: place}


def test_data_have_no_places() -> None:
    assert source.read({"a": 1}).locate(["/a"]) == {"/a": (None, None)}


def test_every_duplicate_key_is_told() -> None:
    found = refused('{"a": 1,\n "a": {"b": 1, "b": 2}}')
    assert [(p.code, p.pointer, p.line, p.column) for p in found] == [
        ("duplicate_key", "/a", 2, 2),
        ("duplicate_key", "/a/b", 2, 16),
    ]
    found = refused("a: 1\nb: {c: 1, c: 2}\na: 2\n")
    assert [(p.code, p.pointer, p.line) for p in found] == [
        ("duplicate_key", "/b/c", 2),
        ("duplicate_key", "/a", 3),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1,\n  "b" 2}', (2, 7)),
        ('{"a": [1, 2}', (1, 12)),
        ("a: b: c", (1, 5)),
        ("a: [1", (2, 1)),
        ("not a definition", (1, 1)),
        ("", (1, 1)),
        ("- a\n- b", (1, 1)),
        ("a: *nowhere", (1, 4)),
        ("a: 1\n---\nb: 2", (2, 1)),
        ("a: !!python/object:os.system x", (1, 4)),
        ("? [a]\n: 1", (1, 3)),
        ("a: .inf", (1, 4)),
        ("a: \x07", (1, 4)),
    ],
)
def test_bad_syntax_has_a_place(text: str, place: tuple[int, int]) -> None:
    (problem,) = refused(text)
    assert problem.code == "syntax"
    assert (problem.line, problem.column) == place


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a": "\\ud800"}',
        '{"a": "\ud800"}',
        "a: " + "9" * 5000,
        {"a": float("nan")},
        {"a": object()},
    ],
)
def test_what_is_not_json_is_refused(text: Any) -> None:
    assert [problem.code for problem in refused(text)] == ["syntax"]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "' + "x" * source.MAX_SIZE + '"}',
        {"a": "x" * source.MAX_SIZE},
        '{"a": ' + "[" * 300 + "]" * 300 + "}",
        '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
        "a: " + "[" * 100_000,
        "a:\n" + "".join(" " * n + "-\n" for n in range(300)),
        {"x" * 800: {"y" * 800: 1}},
        # A billion laughs.
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join(f'*{a}' for _ in range(10))}]\n"
                  for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ],
    ids=["json", "data", "deep", "deepest", "flow", "block", "keys", "laughs"],
)  # fmt: skip
def test_what_is_too_large_is_refused(text: Any) -> None:
    assert [problem.code for problem in refused(text)] == ["too_large"]


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5)
            | st.floats(allow_nan=False, allow_infinity=False),
            lambda inner: st.lists(inner, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3),
            max_leaves=8,
        ),
        min_size=1,
    )
)  # fmt: skip
def test_json_comes_back_and_every_value_has_a_place(data: dict[str, Any]) -> None:
    """Written with indentation, each member's place is where its key is."""
    text = json.dumps(data, indent=1)
    taken = source.read(text)
    assert taken.data == data
    lines = text.splitlines()
    pointers = {key: "/" + key.replace("~", "~0").replace("/", "~1") for key in data}
    places = taken.locate(pointers.values())
    for key, pointer in pointers.items():
        line, column = places[pointer]
        assert line is not None
        assert column is not None
        assert lines[line - 1][column - 1 :].startswith(json.dumps(key))
