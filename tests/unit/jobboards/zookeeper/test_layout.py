"""What is written into ZooKeeper."""

from __future__ import annotations

import json

from taskflow.jobs import base as taskflow_base

from funcflow import ids
from funcflow.jobboards import base
from funcflow.jobboards.zookeeper import layout


def test_a_posting_is_taskflows() -> None:
    ticket = base.Ticket(ids.new(), "project", "function")
    expected = taskflow_base.format_posting(
        ticket.execution_id,
        "invoke",
        details={
            "execution_id": ticket.execution_id,
            "project_id": "project",
            "function_id": "function",
        },
    )
    assert json.loads(layout.posting(ticket)) == expected


def test_announcements_keep_their_topic() -> None:
    for topic in ("plain", "a/b c", "dash-0000000001", "ä:%"):
        name = layout.announcement_prefix(topic) + "0000000042"
        assert "/" not in name
        assert layout.announced(name) == (42, topic)


def test_members_are_read_back() -> None:
    member = base.Member("me", "host:1", 3)
    assert layout.member_from("me", layout.member_data(member)) == member
