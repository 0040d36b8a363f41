"""Is it a composition? Every error at once, each where it stands.

Called by :func:`funcflow.compositions.compile.parse`. One module per part of the language;
a check reports to the :class:`~.node.Report` of the node it is given and goes on.
"""

from __future__ import annotations

from funcflow.compositions.definition import Type
from funcflow.compositions.problems import MAX_PROBLEMS, Problem
from funcflow.compositions.source import Source
from funcflow.compositions.validate import machines, states, variables
from funcflow.compositions.validate.node import Node, Report


def check(source: Source, type_: Type) -> list[Problem]:
    """All problems of a definition, in order of their place; warnings among them."""
    report = Report(source)
    found = machines.check_top(Node(source.data, report, express=type_ == "EXPRESS"))
    variables.check_scopes(report, found)
    return _problems(report)


def check_state(source: Source, type_: Type) -> list[Problem]:
    """All problems of a single state, whose transitions may lead anywhere."""
    report = Report(source)
    node = Node(source.data, report, express=type_ == "EXPRESS")
    for inner, distributed in states.check(node):
        machines.check_inner(inner, node, distributed)
    return _problems(report)


def _problems(report: Report) -> list[Problem]:
    findings = dict.fromkeys(report.findings)
    places = report.source.locate(finding.pointer for finding in findings)
    made = []
    for finding in findings:
        line, column = places[finding.pointer]
        made.append(
            Problem(
                finding.code,
                finding.message,
                finding.pointer,
                line,
                column,
                finding.hint,
                finding.severity,
            )
        )
    made.sort(key=lambda problem: (problem.line or 0, problem.column or 0))
    for severity, count in report.counts.items():
        if count > MAX_PROBLEMS:
            message = f"{count - MAX_PROBLEMS} more of severity {severity} are not listed"
            made.append(Problem("too_large", message, severity=severity))
    return made
