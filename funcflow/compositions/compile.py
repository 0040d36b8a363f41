"""Definition text or data to the compiled :class:`~.definition.Definition`.

``parse`` is for what people send: it validates and raises ``Invalid`` with every problem.
``compile_definition`` is for what was stored after that: it compiles and trusts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from funcflow.compositions import validate
from funcflow.compositions.compile_fields import Fields, variables_of
from funcflow.compositions.compile_states import STATES
from funcflow.compositions.definition import (
    AnyState,
    Definition,
    Language,
    Machine,
    Map,
    Parallel,
    Type,
)
from funcflow.compositions.problems import Invalid, Problem
from funcflow.compositions.source import read


def parse(source: str | Mapping[str, Any], type_: Type = "STANDARD") -> Definition:
    """A definition as text (JSON or YAML) or data; raises :class:`Invalid`."""
    taken = read(source)
    _refuse(validate.check(taken, type_))
    return compile_definition(taken.data, type_)


def problems(source: str | Mapping[str, Any], type_: Type = "STANDARD") -> tuple[Problem, ...]:
    """Everything wrong with a definition, and warnings; empty if nothing is."""
    try:
        return tuple(validate.check(read(source), type_))
    except Invalid as error:
        return error.problems


def parse_state(
    source: str | Mapping[str, Any], name: str = "", type_: Type = "STANDARD"
) -> AnyState:
    """A single state, to be tested alone: its transitions may lead anywhere."""
    taken = read(source)
    _refuse(validate.check_state(taken, type_))
    return _state(name, taken.data, "JSONPath")


def compile_definition(data: Mapping[str, Any], type_: Type = "STANDARD") -> Definition:
    """Compile valid data; what is invalid raises whatever it happens to raise."""
    machine = _machine(data, data.get("QueryLanguage", "JSONPath"))
    states = {state.name: state for state in _all_states(machine)}
    read_by = {name: tuple(sorted(set(variables_of(state)))) for name, state in states.items()}
    return Definition(
        machine, type_, states, {name: names for name, names in read_by.items() if names}
    )


def _refuse(found: list[Problem]) -> None:
    if any(problem.severity == "error" for problem in found):
        raise Invalid(found)


def _machine(data: Mapping[str, Any], language: Language) -> Machine:
    return Machine(
        start_at=data["StartAt"],
        states={name: _state(name, state, language) for name, state in data["States"].items()},
        comment=data.get("Comment", ""),
        language=language,
        timeout=data.get("TimeoutSeconds"),
    )


def _state(name: str, data: Mapping[str, Any], around: Language) -> AnyState:
    """``around`` is the language of the whole machine, which inner machines take."""
    language: Language = data.get("QueryLanguage", around)
    return STATES[data["Type"]](name, Fields(data, language), lambda inner: _machine(inner, around))


def _all_states(machine: Machine) -> Iterator[AnyState]:
    for state in machine.states.values():
        yield state
        if isinstance(state, Parallel):
            for branch in state.branches:
                yield from _all_states(branch)
        elif isinstance(state, Map):
            yield from _all_states(state.processor)
