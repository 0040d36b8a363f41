"""Checks of Assign, and of who reads and hides which variable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from funcflow.compositions.validate import expressions, fields
from funcflow.compositions.validate.node import Node, Report

#: Characters of a name.
LONGEST = 80


def check_assign(node: Node) -> None:
    """The field Assign of a state, a choice rule or a catcher."""
    if (assign := fields.object_(node, "Assign")) is None:
        return
    names = []
    for key in assign.value:
        name = key
        if node.language == "JSONPath":
            name = key.removesuffix(".$")
        if fault := _name_fault(name):
            assign[key].problem("bad_value", f"{name!r} is no name of a variable", fault)
        names.append(name)
    node.report.assigns.append((assign.pointer, tuple(names)))
    expressions.template_value(assign)


def _name_fault(name: str) -> str:
    if not name.isidentifier():
        return "A name begins with a letter or _ and has letters, digits and _."
    if len(name) > LONGEST:
        return f"A name has at most {LONGEST} characters."
    if name == "states":
        return "$states is taken: it holds the input and the result."
    return ""


def check_scopes(report: Report, machines: list[tuple[str, bool]]) -> None:
    """After all states: no inner variable hides an outer one; what is read is assigned.

    ``machines`` are the pointers of all machines; True: it sees no variable of the outer
    ones (the processor of a distributed Map).
    """
    scopes = _Scopes(machines, report.assigns)
    for pointer, names in report.assigns:
        for name in names:
            if scopes.hides(pointer, name):
                _at(report, pointer).problem(
                    "duplicate_name",
                    f"The variable {name!r} is already one of the machine around this one",
                    "Choose another name: an assignment here would be lost at its end.",
                )
    for pointer, read in report.reads:
        for name in sorted(read):
            if not scopes.sees(pointer, name):
                _at(report, pointer).problem(
                    "unassigned", f"No state assigns the variable {name!r}", severity="warning"
                )


def _at(report: Report, pointer: str) -> Node:
    return Node(None, report, pointer)


class _Scopes:
    """Who sees whose variables. Machines, states and assignments go by JSON pointers."""

    def __init__(
        self, machines: list[tuple[str, bool]], assigns: list[tuple[str, tuple[str, ...]]]
    ) -> None:
        self._closed = dict(machines)
        #: Machine, and state -> name -> how often it is assigned there.
        self._given: dict[str, Counter[str]] = {}
        for pointer, names in assigns:
            for owner in self._owners(pointer):
                self._given.setdefault(owner, Counter()).update(names)

    def sees(self, pointer: str, name: str) -> bool:
        """Whether anybody assigns what is read at this place."""
        machine, _ = self._owners(pointer)
        return self._count(machine, name) > 0 or any(
            self._count(around, name) for around, _ in self._around(machine)
        )

    def hides(self, pointer: str, name: str) -> bool:
        """Whether the name may be in use when the machine of this assignment begins.

        The state that holds a machine assigns after it: those names are free within.
        """
        machine, _ = self._owners(pointer)
        return any(
            self._count(around, name) > self._count(holder, name)
            for around, holder in self._around(machine)
        )

    def _count(self, owner: str, name: str) -> int:
        return self._given[owner][name] if owner in self._given else 0

    def _owners(self, pointer: str) -> tuple[str, str]:
        """The innermost machine around a pointer, and the state of it."""
        machine = pointer
        while machine and machine not in self._closed:
            machine = machine.rpartition("/")[0]
        _, states, name, *_ = pointer.removeprefix(machine).split("/")
        return machine, f"{machine}/{states}/{name}"

    def _around(self, machine: str) -> Iterator[tuple[str, str]]:
        """The machines whose variables this one sees too, and the states on the way."""
        while machine and not self._closed[machine]:
            machine, state = self._owners(machine.rpartition("/")[0])
            yield machine, state
