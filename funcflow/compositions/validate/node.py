"""A place in a definition under validation, and the report its problems go to.

Passed to every check of this package. A :class:`Node` is cheap and knows where it stands,
so that a check says only what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from funcflow.compositions import expressions
from funcflow.compositions.definition import Language
from funcflow.compositions.json_positions import escape
from funcflow.compositions.problems import MAX_PROBLEMS, Severity
from funcflow.compositions.source import Source

#: Characters; values stand in messages, and a value may be as long as the definition.
_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that does not know its line yet."""

    pointer: str
    code: str
    message: str
    hint: str
    severity: Severity


@dataclass(slots=True)
class Report:
    """What the checks found, and what they met that only the whole can judge."""

    source: Source
    findings: list[Finding] = field(default_factory=list)
    #: Severity -> how many there were, listed or not.
    counts: Counter[Severity] = field(default_factory=Counter)
    #: Name of state -> pointer of its first owner.
    state_names: dict[str, str] = field(default_factory=dict)
    #: Pointer of the place and the variables read there.
    reads: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    #: Pointer of the Assign and the names it gives.
    assigns: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """Keep a finding, if there are not too many of its kind already."""
        self.counts[finding.severity] += 1
        if self.counts[finding.severity] <= MAX_PROBLEMS:
            self.findings.append(finding)


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the definition; ``value`` may be of any kind."""

    value: Any
    report: Report
    pointer: str = ""
    #: QueryLanguage that holds here.
    language: Language = "JSONPath"
    #: Within the EXPRESS type, or children of it.
    express: bool = False

    def __getitem__(self, key: str | int) -> Node:
        """A member; the object or array must have it."""
        token = escape(key) if isinstance(key, str) else str(key)
        return replace(self, value=self.value[key], pointer=f"{self.pointer}/{token}")

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def inside(self, pointer: str) -> Node:
        """A place within this value, for a problem there; its value is of no use."""
        return replace(self, pointer=self.pointer + pointer)

    def items(self) -> Iterable[Node]:
        """The elements of an array."""
        return (self[index] for index in range(len(self.value)))

    def speaking(self, language: Language) -> Node:
        return replace(self, language=language)

    def problem(
        self, code: str, message: str, hint: str = "", severity: Severity = "error"
    ) -> None:
        if len(message) > _LONGEST_MESSAGE:
            message = f"{message[:_LONGEST_MESSAGE]}…"
        self.report.add(Finding(self.pointer, code, message, hint, severity))

    @property
    def is_expression(self) -> bool:
        """Whether the value is a text in the braces of JSONata or YAQL."""
        language = expressions.Language(self.language)
        return (
            self.language != "JSONPath"
            and isinstance(self.value, str)
            and expressions.is_expression(self.value, language)
        )
