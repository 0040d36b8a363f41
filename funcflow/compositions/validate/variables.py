"""Checks of Assign, and of who reads and hides which variable."""

from __future__ import annotations

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
        outer = scopes.outer(scopes.owner(pointer))
        for name in names:
            if name in outer:
                _at(report, pointer).problem(
                    "duplicate_name",
                    f"The variable {name!r} is already one of the machine around this one",
                    "Choose another name: an assignment here would be lost at its end.",
                )
    for pointer, read in report.reads:
        machine = scopes.owner(pointer)
        seen = scopes.assigned(machine)
        for around in scopes.around(machine):
            seen = seen | scopes.assigned(around)
        for name in sorted(read - seen):
            _at(report, pointer).problem(
                "unassigned", f"No state assigns the variable {name!r}", severity="warning"
            )


def _at(report: Report, pointer: str) -> Node:
    return Node(None, report, pointer)


class _Scopes:
    """Who sees whose variables. Machines and assignments go by their JSON pointers."""

    def __init__(
        self, machines: list[tuple[str, bool]], assigns: list[tuple[str, tuple[str, ...]]]
    ) -> None:
        self._closed = dict(machines)
        #: Machine -> its assignments.
        self._given: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
        for pointer, names in assigns:
            self._given.setdefault(self.owner(pointer), []).append((pointer, names))

    def owner(self, pointer: str) -> str:
        """The innermost machine around a pointer."""
        while pointer and pointer not in self._closed:
            pointer = pointer.rpartition("/")[0]
        return pointer

    def around(self, machine: str) -> Iterator[str]:
        """The machines whose variables this one sees besides its own, from inside out."""
        while machine and not self._closed[machine]:
            machine = self.owner(machine.rpartition("/")[0])
            yield machine

    def assigned(self, machine: str) -> frozenset[str]:
        given = self._given.get(machine, ())
        return frozenset(name for _, names in given for name in names)

    def outer(self, machine: str) -> set[str]:
        """What may be assigned while ``machine`` runs, or before.

        The state that holds a machine assigns after it: those names are free within.
        """
        names: set[str] = set()
        inner = machine
        for around in self.around(machine):
            state = inner.rpartition("/")[0].removesuffix("/Branches") + "/"
            for pointer, given in self._given.get(around, ()):
                if not pointer.startswith(state):
                    names.update(given)
            inner = around
        return names
