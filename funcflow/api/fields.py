"""Fields of JSON bodies: their schema, their lenient spellings, and the check.

Used by :mod:`funcflow.api.schemas`, one instance per body; :mod:`funcflow.api.operations` runs
the check before a controller is called, and the OpenAPI document is made from the same.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

from funcflow import errors
from funcflow.api.request import MAX_JSON, Request

Schema = Mapping[str, Any]

#: No NUL: databases cannot keep it.
STORABLE = r"^[^\x00]*$"
_INTEGER = r"^\s*-?[0-9]{1,18}\s*$"
_NUMBER = r"^\s*-?[0-9]{1,15}(\.[0-9]{1,9})?\s*$"
_TRUE = frozenset({"true", "t", "yes", "y", "on", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "off", "0"})
_BOOLEAN = r"^([Tt]rue|[Ff]alse|TRUE|FALSE|yes|no|on|off|1|0)$"


def text(maximum: int, minimum: int = 0, **more: Any) -> dict[str, Any]:
    """Text of so many characters."""
    return {
        "type": "string", "minLength": minimum, "maxLength": maximum, "pattern": STORABLE, **more
    }  # fmt: skip


def integer(minimum: int, maximum: int, **more: Any) -> dict[str, Any]:
    """A whole number, which may also arrive as a string."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum, **more}


def number(minimum: float, maximum: float, **more: Any) -> dict[str, Any]:
    """A number, which may also arrive as a string."""
    return {"type": "number", "minimum": minimum, "maximum": maximum, **more}


def boolean(**more: Any) -> dict[str, Any]:
    """True or false, which may also arrive as a string."""
    return {"type": "boolean", **more}


def to_integer(value: str) -> int | str:
    """The number a string spells; other strings stay, for the check to refuse."""
    return int(value) if re.fullmatch(_INTEGER, value) else value


def to_number(value: str) -> float | str:
    return float(value) if re.fullmatch(_NUMBER, value) else value


def to_boolean(value: str) -> bool | str:
    word = value.strip().lower()
    return True if word in _TRUE else False if word in _FALSE else value


def checked_integer(name: str, value: str, minimum: int, maximum: int) -> int:
    """The number that a path or a query spells.

    :raises errors.BadRequest: it is none, or out of range
    """
    number = to_integer(value)
    if not isinstance(number, int) or not minimum <= number <= maximum:
        raise errors.BadRequest(
            f"{name} must be a number from {minimum} to {maximum}", code="invalid_parameter"
        )
    return number


_SPELLINGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "integer": (_INTEGER, to_integer),
    "number": (_NUMBER, to_number),
    "boolean": (_BOOLEAN, to_boolean),
}


@dataclasses.dataclass(frozen=True)
class Body:
    """A JSON object body.

    A null means "not given", as existing clients send it, unless the field takes any value; in
    a ``patch`` body (RFC 7396) it stays and means "back to the default".
    """

    fields: Mapping[str, Schema]
    required: tuple[str, ...] = ()
    patch: bool = False
    #: False: unknown fields are dropped, as Qinling does for functions.
    strict: bool = True
    limit: int = MAX_JSON
    description: str = ""
    #: Its values are secrets, which errors do not repeat.
    hidden: bool = False

    def __post_init__(self) -> None:
        schema = {
            "type": "object",
            "properties": dict(self.fields),
            "required": list(self.required),
        }
        spell = {
            name: _SPELLINGS[kind][1]
            for name, field in self.fields.items()
            if isinstance(kind := field.get("type"), str) and kind in _SPELLINGS
        }
        whole = [n for n, field in self.fields.items() if field.get("type") == "integer"]
        mask = "(hidden)" if self.hidden else None
        object.__setattr__(
            self, "_validator", jsonschema_rs.Draft202012Validator(schema, mask=mask)
        )
        object.__setattr__(self, "_spell", spell)
        object.__setattr__(self, "_whole", tuple(whole))

    _validator: Any = dataclasses.field(init=False, repr=False, compare=False, default=None)
    _spell: Any = dataclasses.field(init=False, repr=False, compare=False, default=None)
    _whole: Any = dataclasses.field(init=False, repr=False, compare=False, default=None)

    def parse(self, request: Request) -> dict[str, Any]:
        """The request's body, checked.

        :raises errors.BadRequest: with the field and what is wrong with it
        """
        return self.check(request.json(self.limit))

    def check(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """``raw`` with numbers as numbers and without what is not given."""
        given: dict[str, Any] = {}
        nulls: dict[str, Any] = {}
        spell = self._spell
        for name, value in raw.items():
            if name not in self.fields:
                if self.strict:
                    raise errors.BadRequest(
                        f"Unknown attribute: {name[:80]!r}",
                        code="unknown_field",
                        hint=f"The body takes: {', '.join(sorted(self.fields))}.",
                    )
            elif value is None and "type" in self.fields[name]:
                nulls[name] = None
            elif type(value) is str and name in spell:
                given[name] = spell[name](value)
            else:
                given[name] = value
        try:
            self._validator.validate(given)
        except jsonschema_rs.ValidationError as exc:
            raise invalid(exc) from exc
        for name in self._whole:
            if type(given.get(name)) is float:
                given[name] = int(given[name])
        return given | nulls if self.patch else given

    def document(self) -> dict[str, Any]:
        """The schema of what is accepted, lenient spellings and nulls included."""
        shown = {name: _lenient(field, name, self) for name, field in self.fields.items()}
        schema: dict[str, Any] = {"type": "object", "properties": shown}
        if self.required:
            schema["required"] = list(self.required)
        if self.strict:
            schema["additionalProperties"] = False
        return schema


def invalid(exc: Any) -> errors.BadRequest:
    """The 400 for what the validator found."""
    where = ".".join(str(part) for part in exc.instance_path)
    found = str(exc.message)
    if len(found) > 300:
        found = f"{found[:150]} … {found[-150:]}"
    return errors.BadRequest(
        f"Invalid input: {where}: {found}" if where else f"Invalid input: {found}",
        code="invalid_field",
    )


def _lenient(field: Schema, name: str, body: Body) -> dict[str, Any]:
    shown = dict(field)
    kinds = shown.get("type")
    if kinds is None:
        return shown
    kinds = [kinds] if isinstance(kinds, str) else list(kinds)
    for kind in [k for k in kinds if k in _SPELLINGS]:
        kinds.append("string")
        shown["pattern"] = _SPELLINGS[kind][0]
    if name not in body.required and "null" not in kinds:
        kinds.append("null")
        if "enum" in shown:
            shown["enum"] = [*shown["enum"], None]
    shown["type"] = kinds if len(kinds) > 1 else kinds[0]
    return shown
