"""Microseconds of one evaluation of expressions of compositions, on one core.

Run: ``python -m benchmarks.expressions``. Each figure is the best of three rounds.
"""

from __future__ import annotations

import timeit

from funcflow.compositions.expressions import (
    Expression,
    Language,
    Scope,
    compile_expression,
    compile_template,
)

SCOPE = Scope(
    {"a": {"b": [1, 2, {"c": 3}]}, "items": [{"p": n, "n": "ab"} for n in range(50)]},
    {"Execution": {"Id": "e1"}},
    {"v": {"q": 7}, "n": 5},
)
#: Language, text, evaluations a round.
EXPRESSIONS = (
    (Language.JSONPATH, "$.a.b", 50_000),
    (Language.JSONPATH, "$.a.b[2].c", 50_000),
    (Language.JSONPATH, "$$.Execution.Id", 50_000),
    (Language.JSONPATH, "$.items[*].p", 2_000),
    (Language.JSONPATH, "$.items[?(@.p > 25)].n", 1_000),
    (Language.JSONPATH, "States.Format('x {}', $n)", 20_000),
    (Language.JSONATA, "{% $states.input.a %}", 50_000),
    (Language.JSONATA, "{% $n > 3 %}", 20_000),
    (Language.JSONATA, "{% $states.input.items[p > 25].p %}", 2_000),
    (Language.JSONATA, "{% $map($states.input.items, function($i){$i.p}) %}", 500),
    (Language.YAQL, "<% $.a.b %>", 50_000),
    (Language.YAQL, "<% $n + 1 %>", 200),
    (Language.YAQL, "<% $.items.where($.p > 25).select($.n) %>", 20),
)


def report(name: str, expression: Expression, number: int) -> None:
    """One line: the best time of ``number`` evaluations, each."""
    expression.evaluate(SCOPE)
    best = min(timeit.repeat(lambda: expression.evaluate(SCOPE), number=number, repeat=3))
    print(f"{best / number * 1e6:10.2f} us  {name:8}  {expression.text}")


def main() -> None:
    for language, text, number in EXPRESSIONS:
        report(language, compile_expression(text, language), number)
    template = {"x.$": "$.a", "y": 1, "z": {"q.$": "$v.q"}}
    report("template", compile_template(template, Language.JSONPATH), 20_000)


if __name__ == "__main__":
    main()
