"""Fields that are a literal, a path or an expression: evaluated and checked.

Every function raises :class:`Failure`: ``States.Runtime`` in JSONPath states,
``States.QueryEvaluationError`` in the others.
"""

from __future__ import annotations

import math
from typing import Any

from funcflow.compositions import failures
from funcflow.compositions.definition import Setting
from funcflow.compositions.events import text
from funcflow.compositions.expressions.base import MISSING, Scope
from funcflow.compositions.failures import Failure
from funcflow.compositions.payloads import is_number, moment, type_name

_PATH = "Path"


def unexpected(setting: Setting, expected: str, value: Any) -> Failure:
    """The failure of an expression that gave a value of the wrong type."""
    assert setting.expression is not None
    written = setting.expression.text.strip()
    language = "YAQL" if written.startswith("<%") else "JSONata"
    if written.startswith(("{%", "<%")):
        written = written[2:-2].strip()
    return Failure(
        failures.QUERY,
        f"The {language} expression '{written}' specified for the field '{setting.field}' "
        f"returned an unexpected result type. Expected '{expected}', but was "
        f"'{type_name(value)}' for value: {text(value)}",
        setting.field,
    )


def condition(setting: Setting, scope: Scope) -> bool:
    """A Choice rule's ``Condition``."""
    if setting.expression is None:
        return bool(setting.literal)
    value = setting.expression.evaluate(scope)
    if not isinstance(value, bool):
        raise unexpected(setting, "boolean", value)
    return value


def _referenced(setting: Setting, scope: Scope) -> Any:
    """The value of a Wait's …Path field, which has words of its own for nothing found."""
    assert setting.expression is not None
    find = getattr(setting.expression, "find", None)
    value = setting.expression.evaluate(scope) if find is None else find(scope)
    if value is MISSING:
        raise Failure(
            failures.RUNTIME,
            f"The {setting.field} parameter does not reference an input value: "
            f"{setting.expression.text}",
        )
    return value


def string(setting: Setting | None, scope: Scope) -> str | None:
    """``Error`` and ``Cause`` of a Fail state."""
    if setting is None or setting.expression is None:
        return None if setting is None else setting.literal
    value = setting.expression.evaluate(scope)
    if isinstance(value, str):
        return value
    if setting.field.endswith(_PATH):
        raise Failure(
            failures.RUNTIME,
            f"The {setting.field} field refers to value {text(value)} which is not a string: "
            f"{setting.expression.text}",
        )
    raise unexpected(setting, "string", value)


def number(setting: Setting | None, scope: Scope, *, whole: bool = True) -> float | None:
    """A count, a percentage (not ``whole``) or seconds; None where the field is not set."""
    if setting is None or setting.expression is None:
        return None if setting is None else setting.literal
    expression = setting.expression
    if setting.field.endswith(_PATH):
        value = expression.evaluate(scope)
        found = _parsed(value)
        if found is None or (whole and found != int(found)):
            shown = value if isinstance(value, str) else text(value)
            raise Failure(
                failures.RUNTIME,
                f'The {setting.field} field refers to value "{shown}" which is not a valid '
                f"{'integer' if whole else 'float'}: {expression.text}",
            )
    else:
        found = expression.evaluate(scope)
        if not _finite(found) or (whole and found != int(found)):
            raise unexpected(setting, "number", found)
    return int(found) if whole else float(found)


def count(setting: Setting | None, scope: Scope) -> int | None:
    """A whole number that must not be negative."""
    found = number(setting, scope)
    if found is not None and found < 0:
        assert setting is not None
        raise _refused(setting, f"{_plain(setting)} cannot be negative.")
    return None if found is None else int(found)


def percentage(setting: Setting | None, scope: Scope) -> float | None:
    """0 … 100."""
    found = number(setting, scope, whole=False)
    if found is not None and not 0 <= found <= 100:
        assert setting is not None
        raise _refused(setting, f"{_plain(setting)} must be between 0 and 100.")
    return found


def seconds(setting: Setting, scope: Scope) -> float:
    """``Seconds`` of a Wait."""
    expression = setting.expression
    if expression is None:
        return float(setting.literal)
    if not setting.field.endswith(_PATH):
        found = number(setting, scope)
        assert found is not None
        if not 0 <= found <= 99_999_999:
            raise Failure(
                failures.QUERY,
                f"The {setting.field} field must be between 0 and 99999999: {int(found)}",
                setting.field,
            )
        return found
    value = _referenced(setting, scope)
    parsed = _parsed(value)
    where = f"{expression.text} == {value if isinstance(value, str) else text(value)}"
    if parsed is None or parsed != int(parsed):
        raise Failure(
            failures.RUNTIME,
            f"The {setting.field} parameter cannot be parsed as a long value: {where}",
        )
    if parsed < 0:
        raise Failure(
            failures.RUNTIME, f"The {setting.field} parameter references a negative value: {where}"
        )
    return parsed


def instant(setting: Setting, scope: Scope) -> float:
    """``Timestamp`` of a Wait, in seconds since the epoch."""
    expression = setting.expression
    if expression is None:
        value = setting.literal
    elif setting.field.endswith(_PATH):
        value = _referenced(setting, scope)
    else:
        value = expression.evaluate(scope)
        if not isinstance(value, str):
            raise unexpected(setting, "string", value)
    found = moment(value)
    if found is not None:
        return found
    if expression is not None and setting.field.endswith(_PATH):
        raise Failure(
            failures.RUNTIME,
            f"The {setting.field} parameter does not reference a valid ISO-8601 extended offset "
            f"date-time format string: {expression.text} == {value}",
        )
    raise Failure(
        failures.QUERY,
        f"The {setting.field} field cannot be parsed as an ISO-8601 extended offset date-time "
        f"format string: {value}",
        setting.field,
    )


def _parsed(value: Any) -> float | None:
    """A number, or a text of one, as AWS takes both behind a path."""
    if _finite(value):
        return float(value) if isinstance(value, float) else int(value)
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return None
    return None


def _finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)


def _plain(setting: Setting) -> str:
    return setting.field.removesuffix(_PATH)


def _refused(setting: Setting, cause: str) -> Failure:
    if setting.field.endswith(_PATH):
        return Failure(failures.RUNTIME, cause)
    return Failure(failures.QUERY, cause, setting.field)
