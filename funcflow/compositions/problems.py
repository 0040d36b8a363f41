"""What is wrong with a definition, one finding at a time.

Made by :mod:`funcflow.compositions.source` and :mod:`funcflow.compositions.validate`;
shown by the API and the command line. Codes are stable:

``syntax``            the text is no JSON or YAML
``duplicate_key``     a key stands twice in one object
``too_large``         more text, or deeper nesting, than a definition may have
``wrong_type``        the field holds another kind of value
``missing_field``     a field that must be there is not
``unknown_field``     no such field here
``conflict``          fields that exclude each other
``bad_value``         right kind, but outside of what is allowed
``bad_path``          no (reference) path
``bad_expression``    no expression of the state's query language
``bad_resource``      a Task's Resource names nothing funcflow knows
``bad_language``      this query language cannot stand here
``unknown_state``     a transition to a state that is not in this machine
``unreachable``       no transition leads to the state
``no_end``            the machine cannot end
``duplicate_name``    two states, or two variables one inside the other, share a name
``not_express``       the EXPRESS type does not have this
``unassigned``        (warning) a variable is read and never assigned
``unsupported``       (warning) runs on AWS, and fails here when it is reached
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from funcflow.errors import BadRequest

#: Errors, and warnings, that are told at once.
MAX_PROBLEMS = 1000

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. ``line`` and ``column`` count from 1; None if no text was given."""

    code: str
    message: str
    #: JSON pointer; "" is the whole definition.
    pointer: str = ""
    line: int | None = None
    column: int | None = None
    #: What to do, or "".
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        place = self.pointer or "/"
        if self.line is not None:
            place = f"{self.line}:{self.column} {place}"
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class Invalid(BadRequest):
    """A definition with errors; ``problems`` has all of them, warnings too."""

    code = "invalid_definition"
    hint = "Correct every problem listed and send the definition again."

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        errors = [p for p in self.problems if p.severity == "error"]
        count = "one error" if len(errors) == 1 else f"{len(errors)} errors"
        first = f": {errors[0]}" if errors else ""
        super().__init__(f"The definition has {count}{first}")
