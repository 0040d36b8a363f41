"""Approvals on the wire: what waits for a person, and what the person said."""

from __future__ import annotations

from typing import Any

from funcflow import approvals
from funcflow.api import fields
from funcflow.api.forms import FormBody
from funcflow.api.schemas import common
from funcflow.compositions.events import timestamp
from funcflow.db.approvals import Asked

_WHERE = {
    "composition_id": common.ID,
    "execution_id": common.ID,
    "state": common.STRING,
    "asked_at": common.TIME,
    "due_at": common.MAYBE_TIME,
}
APPROVAL = common.shape(
    {
        **_WHERE,
        "message": {"type": "string", "description": "What is asked, cut short."},
        "token": common.STRING,
        "link": {"type": "string", "description": "The page on which to decide."},
    },
    "Approval",
)
PAGE = common.page("approvals", APPROVAL)
QUESTION = common.shape(
    {**_WHERE, "request": {"description": "What the state gave: any JSON value."}}, "Question"
)
DECIDED = common.shape({"decision": {"enum": ["approve", "reject"]}}, "Decided")

DECIDE = FormBody(
    fields.Body(
        {
            "decision": {"type": "string", "enum": ["approve", "reject"]},
            "comment": fields.text(approvals.COMMENT),
        },
        required=("decision",),
    )
)


def view(asked: Asked, host_url: str) -> dict[str, Any]:
    return {
        "composition_id": asked.composition_id,
        "execution_id": asked.execution_id,
        "state": asked.name,
        "asked_at": timestamp(asked.asked_at),
        "due_at": _at(asked.due_at),
        "message": asked.message,
        "token": asked.token,
        "link": host_url + approvals.LINK.format(token=asked.token),
    }


def question_view(question: approvals.Question) -> dict[str, Any]:
    return {
        "composition_id": question.execution.composition_id,
        "execution_id": question.execution.id,
        "state": question.state,
        "asked_at": timestamp(question.asked_at),
        "due_at": _at(question.due_at),
        "request": question.request,
    }


def _at(time: float | None) -> str | None:
    return None if time is None else timestamp(time)
