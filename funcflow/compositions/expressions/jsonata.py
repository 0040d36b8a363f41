"""JSONata expressions of states, ``{% $states.input.a %}``, compiled and bounded.

Called by templates and ``compile_expression``. Tame expressions (see
:mod:`.jsonata_source`) run here; the library neither counts its memory nor looks at the
clock inside one function, so all others run in the helper process of :mod:`.isolation`.
"""

from __future__ import annotations

import jsonata

from funcflow.compositions.expressions import engine, isolation, jsonata_functions
from funcflow.compositions.expressions.base import (
    MISSING,
    UNSUPPORTED,
    Hooks,
    Malformed,
    Scope,
    SeededHooks,
    Value,
)
from funcflow.compositions.expressions.jsonata_source import Source, tokens_of
from funcflow.compositions.failures import DATA_LIMIT, QUERY, Failure

#: Milliseconds a tame expression may take here before the helper process gets it.
_HERE = 50


class Expression:
    """One compiled expression; see :class:`~.base.Expression`."""

    constant = False

    def __init__(self, text: str, field: str, source: Source) -> None:
        self.text = text
        self.field = field
        self.variables = source.variables
        self._code = source.text
        self._states = tuple(source.states.items())
        self._tame = source.tame
        self._calls = source.calls
        self._plain = source.plain
        self._hooked = bool(source.calls & jsonata_functions.HOOKED)

    def evaluate(self, scope: Scope) -> Value:
        if self._plain is not None:
            value = self._look_up(scope, self._plain)
            if value is not MISSING:
                return value
        bindings = self._bindings(scope)
        # One seed for either place, so that both give the same numbers.
        seed = repr(scope.hooks.random()) if self._hooked else ""
        try:
            value = self._run(bindings, seed, scope)
        except jsonata.JsonataError as error:
            code = str(getattr(error, "code", ""))
            raise self.failed(f"threw an error during evaluation. {code}: {error}") from None
        except isolation.Refused as refused:
            raise self.failed(f"threw an error during evaluation. {refused}") from None
        except isolation.TooMuch as much:
            if much.output:
                raise Failure(DATA_LIMIT, self._says(str(much)), self.field) from None
            raise self.failed(str(much)) from None
        except (OverflowError, RecursionError, UnicodeError):
            raise self.failed("got a value that JSONata cannot hold.") from None
        if value is MISSING:
            raise self.failed("returned nothing (undefined).")
        if value is UNSUPPORTED:
            raise self.failed("returned an unsupported result type.")
        return value

    def _look_up(self, scope: Scope, names: tuple[str, ...]) -> Value:
        """The value of ``$states.input.a.b`` or ``$name.a``, not copied: where only objects
        are passed, JSONata gives the field as it is. MISSING where it must be asked."""
        value: Value
        if names[0] == "states":
            value, names = _part(scope, names[1]), names[2:]
        else:
            value, names = scope.variables.get(names[0], MISSING), names[1:]
        for name in names:
            if type(value) is not dict:
                return MISSING
            value = value.get(name, MISSING)
        return value

    def _run(self, bindings: dict[str, Value], seed: str, scope: Scope) -> Value:
        if self._tame:
            hooks = SeededHooks(seed, scope.hooks.now()) if seed else None
            try:
                return run(self._code, self._calls, bindings, hooks, _HERE, scope.limits.depth)
            except jsonata.JsonataError as error:
                if error.code != "TIMEOUT":
                    raise
        request = {
            "language": "JSONata",
            "text": self._code,
            "calls": sorted(self._calls),
            "bindings": bindings,
            "seed": seed,
            "now": scope.hooks.now(),
        }
        return isolation.evaluate(request, scope.limits)

    def _bindings(self, scope: Scope) -> dict[str, Value]:
        bindings = {
            name: scope.variables[name] for name in self.variables if name in scope.variables
        }
        if self._states:
            states: dict[str, Value] = {}
            for part, fields in self._states:
                value = _part(scope, part)
                if value is MISSING:
                    continue
                if fields is not None and type(value) is dict:
                    value = {name: value[name] for name in fields if name in value}
                states[part] = value
            bindings["states"] = states
        return bindings

    def _says(self, what: str) -> str:
        return (
            f"The JSONata expression '{self._code}' specified for the field '{self.field}' {what}"
        )

    def failed(self, what: str) -> Failure:
        """The failure of this expression, in AWS's words."""
        return Failure(QUERY, self._says(what), self.field)


def _part(scope: Scope, part: str) -> Value:
    if part == "input":
        return scope.input
    if part == "context":
        return scope.context
    return scope.result if part == "result" else scope.error_output


def run(
    code: str,
    calls: frozenset[str],
    bindings: dict[str, Value],
    hooks: Hooks | None,
    milliseconds: int,
    depth: int,
) -> Value:
    """The value of a program in this very process: MISSING where there is none,
    UNSUPPORTED where it is a function. Raises jsonata.JsonataError."""
    program = engine.program(code, code, lambda made: jsonata_functions.register(made, calls))
    program.set_runtime_bounds(milliseconds, depth)
    if hooks is not None:
        jsonata_functions.use(hooks)
    value = program.evaluate(None, bindings)
    if value is jsonata.UNDEFINED:
        return MISSING
    if value is None and _is_function(code, calls, bindings, milliseconds, depth):
        return UNSUPPORTED
    return value


def _is_function(
    code: str, calls: frozenset[str], bindings: dict[str, Value], milliseconds: int, depth: int
) -> bool:
    """Whether what came out as None is a function: the library gives None for both."""
    if code == "null":
        return False
    asked = f"$type(({code}\n))"
    program = engine.program(asked, asked, lambda made: jsonata_functions.register(made, calls))
    program.set_runtime_bounds(milliseconds, depth)
    return bool(program.evaluate(None, bindings) == "function")


def compile_jsonata(text: str, field: str) -> Expression:
    """``{% … %}`` compiled; :class:`Malformed` where it is no JSONata."""
    if not (len(text) >= 4 and text.startswith("{%") and text.endswith("%}")):
        raise Malformed("A JSONata expression begins with {% and ends with %}.")
    code = text[2:-2].strip()
    source = Source(code, tokens_of(code))
    if "eval" in source.calls:
        raise Malformed("$eval is not offered.", hint="Use $parse for JSON in a text.")
    try:
        engine.program(code, code, lambda made: jsonata_functions.register(made, source.calls))
    except UnicodeError:
        raise Malformed("The expression holds half of a surrogate pair.") from None
    except jsonata.JsonataError as error:
        offset = max(error.position, 0) + text.index(code) if code else 2
        raise Malformed(f"{error.code}: {error}", offset) from None
    return Expression(text, field, source)
