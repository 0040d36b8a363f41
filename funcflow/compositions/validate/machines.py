"""Checks of a machine as a whole: names, targets, reachability, ends; nested ones too."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from funcflow.compositions.validate import fields, states
from funcflow.compositions.validate.node import Node

#: Characters of a state's name.
_LONGEST_NAME = 80

_TOP = {"StartAt", "States", "Comment", "Version", "TimeoutSeconds", "QueryLanguage"}
_NESTED = {"StartAt", "States", "Comment"}

#: Pointer of a machine; whether it sees no variable of those around it.
Machines = list[tuple[str, bool]]


def check_top(node: Node) -> Machines:
    """A whole definition; returns all its machines."""
    if not fields.require_object(node):
        return []
    node = node.speaking(states.language(node))
    fields.only(node, _TOP, "a state machine", {"Type": "A single state is no machine."})
    fields.integer(node, "TimeoutSeconds", 1, 99_999_999)
    fields.one_of(node, "Version", ("1.0",))
    return [(node.pointer, True), *_machine(node, node)]


def check_inner(node: Node, around: Node, distributed: bool) -> Machines:
    """A branch or a Map's processor; ``around`` has the language of the whole."""
    allowed = _NESTED
    if node.pointer.endswith(("/ItemProcessor", "/Iterator")):
        allowed = _NESTED | {"ProcessorConfig"}
    fields.only(node, allowed, "a nested state machine", {"QueryLanguage": "Set it by state."})
    if distributed and isinstance(config := node.value.get("ProcessorConfig"), dict):
        node = replace(node, express=config.get("ExecutionType") == "EXPRESS")
    node = node.speaking(around.language)
    return [(node.pointer, distributed), *_machine(node, around)]


def _machine(node: Node, around: Node) -> Machines:
    fields.comment(node)
    fields.require(node, "StartAt", "States")
    fields.text(node, "StartAt")
    inner_states = fields.object_(node, "States")
    if inner_states is None:
        return []
    if not inner_states.value:
        inner_states.problem("bad_value", "States must not be empty")
        return []
    machines: Machines = []
    for name in inner_states.value:
        state = inner_states[name]
        _name(state, name)
        for inner, distributed in states.check(state):
            machines += check_inner(inner, around, distributed)
    _targets(node, inner_states)
    return machines


def _name(state: Node, name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME:
        state.problem(
            "bad_value", f"A state's name has 1 to {_LONGEST_NAME} characters, not {len(name)}"
        )
    first = state.report.state_names.setdefault(name, state.pointer)
    if first != state.pointer:
        state.problem("duplicate_name", f"Another state has the name {name!r}: {first}")


def _targets(node: Node, inner_states: Node) -> None:
    """Every transition leads to a state of this machine, and every state is led to."""
    names = inner_states.value.keys()
    edges: dict[str, set[str]] = {}
    for name in names:
        edges[name] = set()
        for target in _transitions(inner_states[name]):
            if _exists(target, names):
                edges[name].add(target.value)
    if not any(_ends(inner_states[name]) for name in names):
        inner_states.problem(
            "no_end", "The machine cannot end", "Some state needs End: true, or be Succeed or Fail."
        )
    start = node.value.get("StartAt")
    if isinstance(start, str) and _exists(node["StartAt"], names):
        _reach(inner_states, edges, start)


def _exists(target: Node, names: Collection[str]) -> bool:
    if target.value in names:
        return True
    hint = fields.closest(target, target.value, names)
    if not hint and target.value in target.report.state_names:
        hint = "A state of that name is in another machine; transitions stay within theirs."
    target.problem("unknown_state", f"No state {target.value!r} in this machine", hint)
    return False


def _transitions(state: Node) -> Iterator[Node]:
    """Every text that names a following state."""
    if not isinstance(state.value, dict):
        return
    for name in ("Next", "Default"):
        if isinstance(state.value.get(name), str):
            yield state[name]
    for name in ("Choices", "Catch"):
        if isinstance(state.value.get(name), list):
            for inner in state[name].items():
                if isinstance(inner.value, dict) and isinstance(inner.value.get("Next"), str):
                    yield inner["Next"]


def _ends(state: Node) -> bool:
    if not isinstance(state.value, dict):
        return False
    return state.value.get("Type") in ("Succeed", "Fail") or state.value.get("End") is True


def _reach(inner_states: Node, edges: dict[str, set[str]], start: str) -> None:
    reached, fresh = {start}, [start]
    while fresh:
        ahead = edges[fresh.pop()] - reached
        reached |= ahead
        fresh.extend(ahead)
    for name in edges:
        if name not in reached:
            inner_states[name].problem("unreachable", f"No transition leads to {name!r}")
