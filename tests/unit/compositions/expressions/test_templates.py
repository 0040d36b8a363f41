"""Payload templates of the three languages."""

from __future__ import annotations

import pytest

from funcflow.compositions.expressions import (
    Language,
    Limits,
    Malformed,
    Scope,
    compile_expression,
    compile_template,
    is_expression,
    template_faults,
)
from funcflow.compositions.failures import DATA_LIMIT, QUERY, RUNTIME, Failure

SCOPE = Scope({"a": 1, "xs": [1, 2]}, {"Id": "e"}, {"v": {"w": 2}})


def test_dollar_keys_are_evaluated_and_lose_their_ending() -> None:
    template = compile_template(
        {
            "lit": "$.a",
            "p.$": "$.a",
            "deep": [{"c.$": "$$.Id"}, "States.UUID()", {"k": [{"v.$": "$v.w"}]}],
            "f.$": "States.Array($.a)",
            "empty": {},
        },
        Language.JSONPATH,
    )
    value = template.evaluate(SCOPE)
    assert value == {
        "lit": "$.a",
        "p": 1,
        "deep": [{"c": "e"}, "States.UUID()", {"k": [{"v": 2}]}],
        "f": [1],
        "empty": {},
    }
    assert list(value) == ["lit", "p", "deep", "f", "empty"]
    assert template.variables == {"v"}
    assert not template.constant


def test_one_evaluation_does_not_change_the_next() -> None:
    template = compile_template({"p.$": "$.a", "k": {"q.$": "$.a"}}, Language.JSONPATH)
    first = template.evaluate(Scope({"a": 1}))
    assert template.evaluate(Scope({"a": 2})) == {"p": 2, "k": {"q": 2}}
    assert first == {"p": 1, "k": {"q": 1}}


@pytest.mark.parametrize("language", list(Language))
def test_a_literal_is_constant(language: Language) -> None:
    value = {"a": [1, None, "x", {"b": True}], "c": " {% 1 %} "}
    template = compile_template(value, language)
    assert template.constant
    assert template.evaluate(SCOPE) == value
    assert template.variables == frozenset()


def test_a_path_that_finds_nothing_fails_in_aws_words() -> None:
    with pytest.raises(Failure) as failure:
        compile_template({"value.$": "$.no"}, Language.JSONPATH).evaluate(Scope({"int": 0}))
    assert failure.value.error == RUNTIME
    assert failure.value.cause == (
        "The JSONPath '$.no' specified for the field 'value.$' could not be found in the "
        "input '{\"int\":0}'"
    )


def test_jsonata_stands_anywhere_but_in_keys() -> None:
    template = compile_template(
        {"{% 1 %}": ["{% $v.w + 1 %}", "{% $states.input.xs %}"], "k.$": "$.a"}, Language.JSONATA
    )
    assert template.evaluate(SCOPE) == {"{% 1 %}": [3, [1, 2]], "k.$": "$.a"}
    assert template.variables == {"v"}


def test_the_location_of_a_failure_is_the_field() -> None:
    template = compile_template({"a": [{"b": "{% $nope %}"}]}, Language.JSONATA, "Output")
    with pytest.raises(Failure) as failure:
        template.evaluate(SCOPE)
    assert failure.value.error == QUERY
    assert failure.value.location == "Output/a[0]/b"
    assert failure.value.cause == (
        "The JSONata expression '$nope' specified for the field 'Output/a[0]/b' returned "
        "nothing (undefined)."
    )


def test_yaql_is_written_into_texts() -> None:
    template = compile_template(
        {"all": "<% $.xs %>", "text": "a=<% $.a %>, id=<% $states.context.Id %>, <% $v %>"},
        Language.YAQL,
    )
    assert template.evaluate(SCOPE) == {"all": [1, 2], "text": 'a=1, id=e, {"w":2}'}
    assert template.variables == {"v"}


def test_every_fault_is_told_with_its_place() -> None:
    faults = template_faults(
        {"a.$": "x", "b": [{"c.$": "$.["}], "d.$": 1, "e/f": {"~.$": "States.No()"}, "ok.$": "$"},
        Language.JSONPATH,
    )
    assert [fault.pointer for fault in faults] == ["/a.$", "/b/0/c.$", "/d.$", "/e~1f/~0.$"]
    assert (
        template_faults({"a": "{% 1 + %}", "b": "{% 1", "c": "{% 1 %}"}, Language.JSONATA)[
            1
        ].pointer
        == "/b"
    )
    assert [fault.pointer for fault in template_faults(["<% $ + %>", "<% 1"], Language.YAQL)] == [
        "/0",
        "/1",
    ]


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ({"a": 1, "a.$": "$"}, Language.JSONPATH),
        ({"a.$": "$", "a": 1}, Language.JSONPATH),
        ({"a.$": " States.UUID()"}, Language.JSONPATH),
        ({"a.$": None}, Language.JSONPATH),
        ("{%%}x", Language.JSONATA),
        ("10 %}", Language.JSONATA),
        ("{%}", Language.JSONATA),
        ("{% %}", Language.JSONATA),
        ("<%  %>", Language.YAQL),
    ],
)
def test_what_is_malformed_is_refused(value: object, language: Language) -> None:
    with pytest.raises(Malformed):
        compile_template(value, language)
    assert len(template_faults(value, language)) == 1


def test_a_template_nested_too_deeply_is_refused() -> None:
    value: object = 1
    for _ in range(300):
        value = [value]
    with pytest.raises(Malformed):
        compile_template(value, Language.JSONATA)


def test_a_template_of_many_parts_is_bounded() -> None:
    value = {f"k{number}.$": "$" for number in range(100)}
    template = compile_template(value, Language.JSONPATH)
    assert len(template.evaluate(Scope("x"))) == 100
    with pytest.raises(Failure) as failure:
        template.evaluate(Scope("x" * 100, limits=Limits(output=5000)))
    assert failure.value.error == DATA_LIMIT


def test_which_texts_are_expressions() -> None:
    assert is_expression("{% 1 %}", Language.JSONATA)
    assert not is_expression(" {% 1 %}", Language.JSONATA)
    assert is_expression("a <% 1 %>", Language.YAQL)
    assert not is_expression("%> <%", Language.YAQL)
    assert is_expression("$.a", Language.JSONPATH)
    assert is_expression("States.UUID()", Language.JSONPATH)
    assert not is_expression("a", Language.JSONPATH)


@pytest.mark.parametrize(
    ("text", "language"),
    [("$ + 1", Language.JSONATA), ("x", Language.YAQL), ("x", Language.JSONPATH)],
)
def test_an_expression_must_be_one(text: str, language: Language) -> None:
    with pytest.raises(Malformed):
        compile_expression(text, language)
