"""JSON bodies: lenient spellings, strict meaning."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from funcflow import errors
from funcflow.api import fields

BODY = fields.Body(
    {
        "name": fields.text(5, 1),
        "count": fields.integer(0, 10),
        "share": fields.number(0, 1),
        "on": fields.boolean(),
        "kind": {"type": "string", "enum": ["a", "b"]},
        "any": {},
    },
    required=("name",),
)
DOCUMENT = jsonschema_rs.Draft202012Validator(BODY.document())


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"name": "x"}, {}),
        ({"name": "x", "count": "5", "share": "0.5", "on": "True"},
         {"count": 5, "share": 0.5, "on": True}),
        ({"name": "x", "count": 5.0, "on": "0"}, {"count": 5, "on": False}),
        ({"name": "x", "count": None, "kind": None}, {}),
        ({"name": "x", "any": [1], "kind": "b"}, {"any": [1], "kind": "b"}),
    ],
)  # fmt: skip
def test_what_is_meant(given: dict[str, Any], meant: dict[str, Any]) -> None:
    """Numbers and booleans may be text, a null is not given; the document says so too."""
    found = BODY.check(given)
    assert found == {"name": "x", **meant}
    assert [type(value) for value in found.values()] == [
        type(value) for value in {"name": "x", **meant}.values()
    ]
    DOCUMENT.validate(given)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({}, "name"),
        ({"name": None}, "name"),
        ({"name": ""}, "name"),
        ({"name": "toolong"}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "count": "5x"}, "count"),
        ({"name": "x", "count": ""}, "count"),
        ({"name": "x", "count": "1" * 30}, "count"),
        ({"name": "x", "count": 11}, "count"),
        ({"name": "x", "count": True}, "count"),
        ({"name": "x", "count": 1.5}, "count"),
        ({"name": "x", "share": "nan"}, "share"),
        ({"name": "x", "share": "1e-3"}, "share"),
        ({"name": "x", "on": "perhaps"}, "on"),
        ({"name": "x", "on": 1}, "on"),
        ({"name": "x", "kind": "c"}, "kind"),
        ({"name": "x", "other": None}, "other"),
    ],
)
def test_what_is_refused(given: dict[str, Any], word: str) -> None:
    """The message names the field."""
    with pytest.raises(errors.BadRequest, match=word):
        BODY.check(given)


def test_messages_are_short() -> None:
    """However long the value was."""
    with pytest.raises(errors.BadRequest) as caught:
        BODY.check({"name": "x" * 100_000})
    assert len(caught.value.message) < 400


def test_patches_keep_nulls_and_forms_drop_strangers() -> None:
    """Null means "back to the default" in one, unknown fields mean nothing in the other."""
    patch = fields.Body(BODY.fields, patch=True)
    assert patch.check({"count": None, "name": "x"}) == {"count": None, "name": "x"}
    lax = fields.Body(BODY.fields, strict=False)
    assert lax.check({"stranger": 1, "count": "1"}) == {"count": 1}
