"""Small definitions with one thing wrong, and what is said about it."""

from __future__ import annotations

from typing import Any

from funcflow.compositions.compile import problems

Found = set[tuple[str, str]]


def machine(state: dict[str, Any], **others: Any) -> dict[str, Any]:
    """A definition around one state "A", with "B" as a target."""
    return {
        "StartAt": "A",
        "States": {"A": state, "B": {"Type": "Succeed"}},
        **others,
    }


def found(definition: Any, type_: Any = "STANDARD", severity: str = "error") -> Found:
    """Code and pointer of each problem; B's being unreachable is not of interest."""
    return {
        (problem.code, problem.pointer)
        for problem in problems(definition, type_)
        if problem.severity == severity
        and (problem.code, problem.pointer) != ("unreachable", "/States/B")
    }


def of_state(state: dict[str, Any], type_: Any = "STANDARD", severity: str = "error") -> Found:
    """What is wrong with one state; pointers begin at the state."""
    return {
        (code, pointer.removeprefix("/States/A"))
        for code, pointer in found(machine(state), type_, severity)
    }
