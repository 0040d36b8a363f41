"""Criteria, input templates and dedup keys: compiled, then evaluated for each event."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from funcflow import errors
from funcflow.compositions.expressions import (
    Expression,
    Language,
    Limits,
    Malformed,
    Scope,
    SeededHooks,
    compile_expression,
    compile_template,
)
from funcflow.compositions.failures import Failure
from funcflow.criteria.conditions import BadCondition, Condition, compile_conditions

#: Expressions of triggers are small; one that is not must not keep the others waiting.
LIMITS: Final = Limits(time=0.5)
_VARIABLES: Final = frozenset({"event", "trigger"})


class BadCriteria(errors.BadRequest):
    """The criteria, or the dedup key, cannot be used."""

    code = "bad_criteria"
    hint = (
        "Give conditions by name, {data.status: {type: equals, pattern: ERROR}}, or an expression, "
        "{% $event.data.status = 'ERROR' %} or <% $event.data.status = 'ERROR' %>."
    )


class BadInput(errors.BadRequest):
    """The template of the input cannot be used."""

    code = "bad_mapping"
    hint = "Give any JSON value with {% … %} or <% … %> where parts of $event go."


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What one criterion said. ``value`` is what it looked at; ``problem`` why it cannot say."""

    criterion: str
    matched: bool
    value: Any = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Criteria:
    """All of a trigger; with none of them every event matches."""

    conditions: tuple[Condition, ...] = ()
    expression: Expression | None = None

    def verdicts(self, scope: Scope, now: float) -> list[Verdict]:
        """Of each criterion, also when an earlier one said no."""
        told = [_verdict(condition, scope, now) for condition in self.conditions]
        if self.expression is not None:
            text = self.expression.text
            try:
                value = self.expression.evaluate(scope)
            except Failure as exc:
                return [*told, Verdict(text, False, problem=exc.cause)]
            problem = (
                None if isinstance(value, bool) else "gave something that is not true or false"
            )
            told.append(Verdict(text, value is True, value, problem))
        return told


@dataclasses.dataclass(frozen=True, slots=True)
class Template:
    """What the target gets; None: the envelope."""

    expression: Expression | None

    def text(self, scope: Scope) -> str:
        """The input as JSON text.

        :raises funcflow.compositions.failures.Failure: an expression gave nothing
        """
        value = scope.input if self.expression is None else self.expression.evaluate(scope)
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """What makes two events the same; None: their source and id."""

    expression: Expression | None

    def digest(self, scope: Scope) -> str:
        """In hexadecimal, 32 characters.

        :raises funcflow.compositions.failures.Failure: the expression gave nothing
        """
        if self.expression is None:
            value: Any = [scope.input["source"], scope.input["id"]]
        else:
            value = self.expression.evaluate(scope)
        told = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()


def scope_of(envelope: Mapping[str, Any], trigger: Mapping[str, Any], now: float) -> Scope:
    """What expressions see. The same event gives the same random numbers each time."""
    seed = f"{envelope.get('source')}\0{envelope.get('id')}\0{trigger.get('id')}"
    return Scope(
        input=envelope,
        variables={"event": envelope, "trigger": trigger},
        hooks=SeededHooks(seed, now),
        limits=LIMITS,
    )


def compile_criteria(told: Any) -> Criteria:
    """:raises BadCriteria: they cannot be used"""
    if told is None or told == {}:
        return Criteria()
    if isinstance(told, str):
        return Criteria(expression=_expression(told, "criteria", BadCriteria))
    if not isinstance(told, Mapping):
        raise BadCriteria("criteria are an object of conditions, or a text with an expression")
    try:
        return Criteria(tuple(compile_conditions(told)))
    except BadCondition as exc:
        raise BadCriteria(str(exc)) from None


def compile_key(told: str | None) -> Key:
    """:raises BadCriteria: it cannot be used"""
    return Key(None if told is None else _expression(told, "dedup key", BadCriteria))


def compile_input(told: Any) -> Template:
    """:raises BadInput: it cannot be used"""
    if told is None:
        return Template(None)
    text = json.dumps(told, ensure_ascii=False)
    jsonata, yaql = "{%" in text, "<%" in text
    if jsonata and yaql:
        raise BadInput("the input has JSONata ({% … %}) and YAQL (<% … %>); use one of them")
    try:
        made = compile_template(told, Language.JSONATA if jsonata else Language.YAQL, "input")
    except Malformed as exc:
        raise BadInput(f"the input has a malformed expression: {exc.message}") from None
    _check_variables(made, BadInput)
    return Template(made)


def _expression(text: str, what: str, error: type[errors.BadRequest]) -> Expression:
    text = text.strip()
    language = Language.JSONATA if text.startswith("{%") else Language.YAQL
    try:
        made = compile_expression(text, language, what)
    except Malformed as exc:
        raise error(f"the expression of the {what} is malformed: {exc.message}") from None
    _check_variables(made, error)
    return made


def _check_variables(made: Expression, error: type[errors.BadRequest]) -> None:
    if unknown := made.variables - _VARIABLES:
        raise error(f"there is no variable ${min(unknown)}; there are $event and $trigger")


def _verdict(condition: Condition, scope: Scope, now: float) -> Verdict:
    said = f"{condition.name} {condition.operator}"
    if condition.operator not in ("exists", "nexists"):
        said += f" {json.dumps(condition.pattern, ensure_ascii=False)[:200]}"
    try:
        matched = condition.holds(scope.input, now)
    except Failure as exc:
        return Verdict(said, False, problem=exc.cause)
    return Verdict(said, matched, condition.value(scope.input))
