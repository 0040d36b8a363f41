"""What a trigger asks of an event, and what it makes of it: pure, no I/O.

Called by the API, which compiles at create, and by :mod:`funcflow.firing`. Criteria are an
expression or conditions by name; inputs are templates. Expressions are JSONata (``{% … %}``) or
YAQL (``<% … %>``) over ``$event``, the CloudEvents envelope, in the bounds that compositions have.
"""

from __future__ import annotations

from funcflow.criteria.compile import (
    BadCriteria,
    BadInput,
    Criteria,
    Key,
    Template,
    Verdict,
    compile_criteria,
    compile_input,
    compile_key,
)

__all__ = [
    "BadCriteria",
    "BadInput",
    "Criteria",
    "Key",
    "Template",
    "Verdict",
    "compile_criteria",
    "compile_input",
    "compile_key",
]
