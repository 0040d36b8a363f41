"""What list parameters mean."""

from __future__ import annotations

import pytest

from funcflow import conf as config
from funcflow import errors, models
from funcflow.api import lists
from funcflow.api.request import Request
from funcflow.auth import guard
from funcflow.db import listing

CONF = config.load(api={"max_page": 10})
GUARD = guard.Guard(CONF)


def parse(query: str, *, is_admin: bool = True) -> listing.Query:
    request = Request({"REQUEST_METHOD": "GET", "QUERY_STRING": query}, "req-1")
    roles = ("admin",) if is_admin else ("member", "reader")
    request.asker = models.RequestContext(project_id="own", roles=roles, request_id="req-1")
    request.guard = GUARD
    return lists.EXECUTIONS.parse(request, CONF)


def test_defaults() -> None:
    """One's own project, a full page and one row more."""
    assert parse("") == listing.Query(project_id="own", limit=11)


@pytest.mark.parametrize(
    ("query", "project_id"),
    [("all_projects=true", None), ("project_id=other", "other"), ("all_projects=0", "own")],
)
def test_administrators_see_other_projects(query: str, project_id: str | None) -> None:
    """All, or one they name."""
    assert parse(query).project_id == project_id


def test_others_do_not() -> None:
    """All projects are refused with Qinling's words, another one is ignored as there."""
    with pytest.raises(errors.Forbidden, match="Operation not allowed"):
        parse("all_projects=true", is_admin=False)
    assert parse("project_id=other", is_admin=False).project_id == "own"


@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ("status=running", {"state": "in:queued,running"}),
        ("status=eq:error", {"state": "in:lost,dead"}),
        ("status=in:success,failed", {"state": "in:succeeded,failed"}),
        ("status=nin:success", {"state": "nin:succeeded"}),
        ("description=has:x:y", {"description": "has:x:y"}),
        ("created_at=gt:1970-01-01T00:01:00Z", {"created_at": "gt:60.0"}),
        ("created_at=1970-01-01T01:00:00%2B01:00", {"created_at": "0.0"}),
        ("created_at=1970-01-01", {"created_at": "0.0"}),
        ("started_at=in:1,2", {"started_at": "in:1.0,2.0"}),
    ],
)
def test_filters(query: str, filters: dict[str, str]) -> None:
    """Status words become states, times become seconds; the rest goes on as it is."""
    assert parse(query).filters == filters


def test_limits() -> None:
    """Never more than a page."""
    assert parse("limit=3").limit == 4
    assert parse("limit=5000").limit == 11
