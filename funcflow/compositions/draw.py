"""A definition as a graph; it, or an execution of it, as Mermaid text.

Pure functions, called by the API and the command line; ``graph`` is also what
:mod:`funcflow.compositions.draw_svg` lays out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from funcflow.compositions.definition import (
    And,
    AnyState,
    Choice,
    Comparison,
    Definition,
    Machine,
    Map,
    Not,
    Or,
    Parallel,
    Setting,
    Task,
    Test,
    Wait,
)
from funcflow.compositions.draw_marks import Mark
from funcflow.compositions.draw_style import COLOURS, short

#: Characters of a label.
_LABEL = 36

Way = Literal["next", "choice", "default", "catch"]


@dataclass(frozen=True, slots=True)
class Node:
    """A state, or (``kind`` Start, End) where a machine begins and ends."""

    name: str
    #: Type of the state.
    kind: str
    #: What it does, in a few words.
    note: str = ""
    #: Branches of a Parallel, processor of a Map.
    inner: tuple[Graph, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    #: Places in the graph's ``nodes``.
    source: int
    target: int
    way: Way = "next"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Graph:
    """One machine. The first node is its Start, the last its End if it has one."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph(machine: Machine) -> Graph:
    """States as nodes in the order they are written, transitions as edges."""
    names = {name: place for place, name in enumerate(machine.states, 1)}
    end = len(names) + 1
    nodes = [Node("", "Start"), *map(_node, machine.states.values()), Node("", "End")]
    edges = [Edge(0, names[machine.start_at])]
    for name, state in machine.states.items():
        for target, way, label in _ways(state):
            edges.append(Edge(names[name], end if target is None else names[target], way, label))
    if all(edge.target != end for edge in edges):
        nodes.pop()
    return Graph(tuple(nodes), tuple(edges))


def mermaid(definition: Definition, marks: Mapping[str, Mark] | None = None) -> str:
    """Mermaid's flowchart language, which GitHub and many others show as a picture.

    ``marks``: how the states of an execution stand.
    """
    text = _Text(marks or {})
    lines = ["flowchart TD", *text.machine(graph(definition.machine), "n", "  ")]
    for colour in sorted(text.classes):
        edge, inside, _, _ = COLOURS[colour]
        lines.append(f"  classDef {colour} fill:{inside},stroke:{edge},color:#24292f")
        lines.append(f"  class {','.join(text.classes[colour])} {colour}")
    return "\n".join(lines) + "\n"


class _Text:
    def __init__(self, marks: Mapping[str, Mark]) -> None:
        self._marks = marks
        #: Name of a colour -> nodes that have it.
        self.classes: dict[str, list[str]] = {}

    def machine(self, drawn: Graph, prefix: str, indent: str) -> Iterator[str]:
        for place, node in enumerate(drawn.nodes):
            yield from self._node(node, f"{prefix}{place}", indent)
        for edge in drawn.edges:
            arrow = "-.->" if edge.way == "catch" else "-->"
            label = f"|{_quoted(edge.label)}|" if edge.label else ""
            yield f"{indent}{prefix}{edge.source} {arrow}{label} {prefix}{edge.target}"

    def _node(self, node: Node, name: str, indent: str) -> Iterator[str]:
        if node.kind in ("Start", "End"):
            yield f"{indent}{name}(({node.kind}))"
            return
        mark = self._marks.get(node.name)
        if mark is not None:
            self.classes.setdefault(mark.colour, []).append(name)
        if node.inner:
            notes = filter(None, (node.note, mark.note if mark else ""))
            title = ": ".join((node.name, *notes))
            yield f"{indent}subgraph {name}[{_quoted(title)}]"
            for number, inner in enumerate(node.inner):
                yield from self.machine(inner, f"{name}_{number}_", f"{indent}  ")
            yield f"{indent}end"
        else:
            opens, closes = ("{{", "}}") if node.kind == "Choice" else ("[", "]")
            text = "\n".join(filter(None, (node.name, node.note, mark.note if mark else "")))
            yield f"{indent}{name}{opens}{_quoted(text)}{closes}"


def _quoted(text: str) -> str:
    """A label: Mermaid's own escapes, which are of no language else."""
    text = text.replace("#", "#35;").replace('"', "#quot;")
    text = text.replace("<", "#lt;").replace(">", "#gt;").replace("\n", "<br/>")
    return f'"{text}"'


def _node(state: AnyState) -> Node:
    inner: tuple[Graph, ...] = ()
    if isinstance(state, Parallel):
        inner = tuple(graph(branch) for branch in state.branches)
    elif isinstance(state, Map):
        inner = (graph(state.processor),)
    return Node(state.name, state.type, _note(state), inner)


def _note(state: AnyState) -> str:
    match state:
        case Task():
            return _short(state.resource.text.rpartition(":::")[2])
        case Wait():
            setting = state.seconds or state.timestamp
            unit = " s" if state.seconds else ""
            return "" if setting is None else f"Wait {_value(setting)}{unit}"
        case Map():
            return "Map, distributed" if state.distributed else "Map"
        case _:
            return state.type


def _ways(state: AnyState) -> Iterator[tuple[str | None, Way, str]]:
    """(target, or None for the end; kind; label) of each transition."""
    if isinstance(state, Choice):
        for rule in state.rules:
            yield rule.next, "choice", _short(_told(rule.test))
        if state.default is not None:
            yield state.default, "default", "otherwise"
    elif state.type == "Fail":
        yield None, "next", ""
    else:
        yield state.next, "next", ""
    for catcher in state.catch:
        yield catcher.next, "catch", _short(", ".join(catcher.errors))


def _told(test: Test) -> str:
    match test:
        case Comparison():
            right = test.path.text if test.path is not None else json.dumps(test.literal)
            return f"{test.variable.text} {_operator(test.operator)} {right}"
        case Not():
            return f"not {_told(test.test)}"
        case And():
            return " and ".join(map(_told, test.tests))
        case Or():
            return " or ".join(map(_told, test.tests))
        case Setting():
            return _value(test)


def _operator(name: str) -> str:
    """``NumericLessThanEquals`` is ``<=``; what has no sign keeps its name."""
    signs = {
        "LessThanEquals": "<=",
        "GreaterThanEquals": ">=",
        "LessThan": "<",
        "GreaterThan": ">",
        "Equals": "=",
    }
    return next((sign for ending, sign in signs.items() if name.endswith(ending)), name)


def _value(setting: Setting) -> str:
    if setting.expression is None:
        return str(setting.literal)
    return setting.expression.text.removeprefix("{%").removesuffix("%}").strip()


def _short(text: str) -> str:
    return short(text, _LABEL)
