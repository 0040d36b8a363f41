"""Random texts and values: nothing but the two announced errors ever comes out."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from funcflow.compositions.expressions import (
    Language,
    Limits,
    Malformed,
    Scope,
    compile_expression,
    compile_template,
    template_faults,
)
from funcflow.compositions.failures import Failure


def _words(text: str) -> list[str]:
    return text.split()


PIECES = {
    Language.JSONPATH: _words("""
        $ $$ $v . .. a b ['a'] ["b"] [0] [-1] [*] [1:] [:2] [ ] ( ) ?( ?(@.a) @ @.a
        == < && || ! =~ /a/ /(/ in 'x' 1 -2 , * : States. States.Format( States.Array( '{}' )
        .length() .sum() States.UUID() States.ArrayRange( null true \\ ' { }"""),
    Language.JSONATA: _words("""
        $ $$ $v $states .input .context a b . [ ] ( ) { } : , ; := .. ~> & + - * / %
        ^ @ # = != < > and or in ? function( λ( $sum( $map( $string( $now( 'x' "y" ` 1 0.5 1e3
        true null ** /a/ /* */ \\"""),
    Language.YAQL: _words("""
        $ $v $1 .a .b .where( .select( ( ) [ ] , + - * / > < = and or not => -> len(
        'x' "y" 1 0.5 true null dict( list( : ? . .. { }"""),
}
MARKS = {
    Language.JSONPATH: ("", ""),
    Language.JSONATA: ("{% ", " %}"),
    Language.YAQL: ("<% ", " %>"),
}


def _value(chance: random.Random, depth: int = 0) -> object:
    kind = chance.randrange(8)
    if kind < 5 or depth > 3:
        return chance.choice([None, True, 0, 1, -2.5, 10**20, "", "a", "é", "\ud800"])
    if kind < 6:
        return [_value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice("ab"): _value(chance, depth + 1) for _ in range(chance.randrange(3))}


def _try(work: Callable[[], object]) -> bool:
    try:
        work()
    except (Malformed, Failure):
        return False
    return True


@pytest.mark.parametrize(
    ("language", "rounds"),
    [(Language.JSONPATH, 6000), (Language.JSONATA, 3000), (Language.YAQL, 300)],
)
def test_random_expressions(language: Language, rounds: int) -> None:
    chance = random.Random(20261120)
    before, after = MARKS[language]
    compiled = answered = 0
    for _ in range(rounds):
        pieces = [chance.choice(PIECES[language]) for _ in range(chance.randrange(1, 9))]
        text = before + chance.choice(["", " "]).join(pieces) + after
        scope = Scope(
            _value(chance), {"c": _value(chance)}, {"v": _value(chance)}, limits=Limits(time=0.2)
        )
        if _try(lambda text=text: compile_expression(text, language)):
            compiled += 1
            expression = compile_expression(text, language)
            answered += _try(lambda made=expression, scope=scope: made.evaluate(scope))
    assert compiled > rounds / 100
    assert answered


def test_faults_and_compiling_agree() -> None:
    chance = random.Random(7)
    for language in Language:
        before, after = MARKS[language]
        for _ in range(500):
            pieces = [chance.choice(PIECES[language]) for _ in range(chance.randrange(1, 4))]
            template = {"a.$": "".join(pieces), "b": [before + "".join(pieces) + after]}
            good = _try(lambda made=template, language=language: compile_template(made, language))
            assert good is not bool(template_faults(template, language))
