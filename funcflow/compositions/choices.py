"""The comparisons of a JSONPath Choice state.

A value of another type than the operator's makes a comparison false, never a failure.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

from funcflow.compositions import failures
from funcflow.compositions.definition import And, Comparison, Not, Or, Setting, Test
from funcflow.compositions.expressions.base import MISSING, Path, Scope
from funcflow.compositions.failures import Failure
from funcflow.compositions.payloads import is_number, moment
from funcflow.compositions.settings import condition

if TYPE_CHECKING:
    from funcflow.compositions.expressions.base import Expression

Compare = Callable[[Any, Any], bool]

_ORDERS: Final[Mapping[str, Compare]] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}


def matches(test: Test, scope: Scope) -> bool:
    """Does the rule hold? Raises :class:`Failure`."""
    if isinstance(test, Comparison):
        return _compare(test, scope)
    if isinstance(test, Setting):
        return condition(test, scope)
    if isinstance(test, And):
        return all(matches(each, scope) for each in test.tests)
    if isinstance(test, Or):
        return any(matches(each, scope) for each in test.tests)
    assert isinstance(test, Not)
    return not matches(test.test, scope)


def _compare(test: Comparison, scope: Scope) -> bool:
    name = test.operator
    if name == "IsPresent":
        return (_find(test.variable, scope) is not MISSING) is test.literal
    left = _operand(test.variable, scope)
    right = test.literal if test.path is None else _operand(test.path, scope)
    return _OPERATORS[name](left, right)


def _find(path: Expression, scope: Scope) -> Any:
    found = cast(Path, path).find(scope)
    # A path with several matches that matches nothing names nothing.
    return MISSING if found == [] and not cast(Path, path).definite else found


def _operand(path: Expression, scope: Scope) -> Any:
    found = cast(Path, path).find(scope)
    if found is MISSING:
        raise Failure(
            failures.RUNTIME,
            f"Invalid path '{path.text}': The choice state's condition path references an "
            "invalid value.",
        )
    return found


def _typed(accepts: Callable[[Any], bool], compare: Compare) -> Compare:
    def both(left: Any, right: Any) -> bool:
        return accepts(left) and accepts(right) and compare(left, right)

    return both


def _is_string(value: Any) -> bool:
    return isinstance(value, str)


def _is_boolean(value: Any) -> bool:
    return value is True or value is False


def _timestamps(compare: Compare) -> Compare:
    def both(left: Any, right: Any) -> bool:
        first, second = moment(left), moment(right)
        return first is not None and second is not None and compare(first, second)

    return both


def _is(accepts: Callable[[Any], bool]) -> Compare:
    return lambda left, right: accepts(left) is right


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    r"""``*`` stands for any text, ``\*`` for a star, ``\\`` for a backslash."""
    parts = re.findall(r"\\[*\\]|\*+|[^*\\]+|\\", text)
    return re.compile("".join(_part(part) for part in parts), re.DOTALL)


def _part(part: str) -> str:
    if part[0] == "*":
        return ".*"
    return re.escape(part[1] if part[0] == "\\" and len(part) == 2 else part)


def _string_matches(left: Any, right: Any) -> bool:
    if not isinstance(left, str) or not isinstance(right, str):
        return False
    return _pattern(right).fullmatch(left) is not None


_OPERATORS: Final[Mapping[str, Compare]] = {
    **{f"String{name}": _typed(_is_string, compare) for name, compare in _ORDERS.items()},
    **{f"Numeric{name}": _typed(is_number, compare) for name, compare in _ORDERS.items()},
    **{f"Timestamp{name}": _timestamps(compare) for name, compare in _ORDERS.items()},
    "BooleanEquals": _typed(_is_boolean, operator.eq),
    "StringMatches": _string_matches,
    "IsNull": _is(lambda value: value is None),
    "IsString": _is(_is_string),
    "IsNumeric": _is(is_number),
    "IsBoolean": _is(_is_boolean),
    "IsTimestamp": _is(lambda value: moment(value) is not None),
}
