"""What every expression language of compositions shares.

The definition's compiler makes :class:`Expression` objects once; the interpreter calls
``evaluate(scope)`` on them at each step. Values are JSON as Python has it (None, bool,
int, float, str, list, dict) and are never changed in place: an answer may share parts
with the scope, and whoever gets it must treat it as immutable.
"""

from __future__ import annotations

import enum
import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

#: A JSON value. An alias, not a recursive type: checks at each step would cost more
#: than they tell.
Value = Any


class Missing(enum.Enum):
    """The one value :data:`MISSING`: no value at all, which is not JSON null."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


class Unsupported(enum.Enum):
    """The one value :data:`UNSUPPORTED`: an answer that is no JSON, such as a function."""

    UNSUPPORTED = "unsupported"


UNSUPPORTED: Final = Unsupported.UNSUPPORTED


class Language(enum.StrEnum):
    """QueryLanguage of a machine or of a state."""

    JSONPATH = "JSONPath"
    JSONATA = "JSONata"
    YAQL = "YAQL"


class Malformed(ValueError):
    """A text is no expression of its language; raised by the compile functions only.

    ``message`` says what is wrong; ``offset`` is the place in the text as far as known,
    counted in characters from 0; ``hint`` says what to write instead, or is empty.
    """

    def __init__(self, message: str, offset: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.offset = offset
        self.hint = hint


class Hooks(Protocol):
    """Whatever is not a function of the scope. All three must be replayable."""

    def now(self) -> float:
        """The time of this step, seconds since the epoch."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def uuid(self) -> str:
        """A version 4 UUID, lower case with dashes."""


class SeededHooks:
    """Hooks that are a function of a seed and a time: same seed, same answers."""

    def __init__(self, seed: int | str = 0, now: float = 0.0) -> None:
        self._seed = seed
        self._now = now
        self._generator: random.Random | None = None

    def _random(self) -> random.Random:
        # Seeding costs 10 microseconds and most steps draw nothing.
        if self._generator is None:
            self._generator = random.Random(self._seed)
        return self._generator

    def now(self) -> float:
        return self._now

    def random(self) -> float:
        return self._random().random()

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random().getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation may use; past it the expression fails, not the interpreter."""

    #: Seconds of one evaluation.
    time: float = 1.0
    #: Nested calls of functions the expression defines.
    depth: int = 100
    #: Bytes the evaluation may hold at once, where the language can count them.
    memory: int = 64 * 1024 * 1024
    #: Bytes of the answer, written as compact UTF-8 JSON. Payload limits of states are
    #: smaller and the interpreter's to check; this one keeps it able to.
    output: int = 4 * 1024 * 1024


DEFAULT_LIMITS: Final = Limits()
NO_VARIABLES: Final[Mapping[str, Value]] = {}
_DEFAULT_HOOKS: Final = SeededHooks()


@dataclass(slots=True)
class Scope:
    """What an expression sees. Made anew for each stage of a state; never changed after.

    ``input`` is what ``$`` means in JSONPath and YAQL at this stage (raw input, effective
    input, or the task's result for ResultSelector) and ``$states.input`` in JSONata.
    ``context`` is the context object (``$$``; ``$states.context`` in JSONata and YAQL).
    ``variables`` are named without the dollar sign. ``result`` and ``error_output`` are
    ``$states.result`` and ``$states.errorOutput``, MISSING where the state has none.
    """

    input: Value
    context: Mapping[str, Value] = field(default_factory=dict)
    variables: Mapping[str, Value] = field(default_factory=lambda: NO_VARIABLES)
    result: Value = MISSING
    error_output: Value = MISSING
    hooks: Hooks = _DEFAULT_HOOKS
    limits: Limits = DEFAULT_LIMITS


class Expression(Protocol):
    """A compiled expression or template."""

    @property
    def text(self) -> str:
        """As written in the definition; a template: its compact JSON."""

    @property
    def variables(self) -> frozenset[str]:
        """Names (without ``$``) of the state variables it refers to, found statically."""

    @property
    def constant(self) -> bool:
        """True where every scope gives the same value (a literal)."""

    def evaluate(self, scope: Scope) -> Value:
        """The value; :class:`~funcflow.compositions.failures.Failure` where there is none."""


class Path(Expression, Protocol):
    """A compiled JSONPath: starts at ``$``, at the context (``$$``) or at ``$variable``."""

    @property
    def definite(self) -> bool:
        """True where it names at most one value; else it gives a list of all it matches."""

    @property
    def reference(self) -> bool:
        """True for a reference path: only names and indexes, no @ , : ? * or .. in it."""

    def find(self, scope: Scope) -> Value:
        """Like ``evaluate``, but MISSING where nothing is found, an undefined variable
        included. Fails only on a limit."""


class Reference(Path, Protocol):
    """A reference path into the input (ResultPath): can also be written to."""

    def put(self, document: Value, value: Value) -> Value:
        """A new document with ``value`` at the path; missing parents become objects.
        ``States.ResultPathMatchFailure`` where the document has no room for it. The old
        document is left as it was; untouched parts are shared."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A malformed expression inside a template: where, and what is wrong."""

    #: JSON pointer from the template's root ("" is the template itself).
    pointer: str
    malformed: Malformed
