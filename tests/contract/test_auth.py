"""The contract of auth drivers: each establishes who asks, and believes no header of theirs."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import conf as config
from funcflow import models
from funcflow.auth import base, none

DRIVERS = [none.NoAuth]
LIES = {
    "HTTP_X_PROJECT_ID": "victim",
    "HTTP_X_TENANT_ID": "victim",
    "HTTP_X_ROLES": "admin",
    "HTTP_X_USER_ID": "root",
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_SERVICE_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_IS_ADMIN_PROJECT": "True",
    "HTTP_X_SERVICE_CATALOG": "[]",
    "HTTP_X_AUTH_TOKEN": "stolen",
}


@pytest.fixture(params=DRIVERS, ids=lambda driver: driver.__module__.rpartition(".")[2])
def driver(request: pytest.FixtureRequest) -> base.Auth:
    made: base.Auth = request.param(config.load())
    return made


def environ(**more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1", **more}


def test_it_is_a_driver(driver: base.Auth) -> None:
    """It says whether it may listen on other addresses than loopback."""
    assert isinstance(driver, base.Auth)
    assert isinstance(driver.loopback_only, bool)


def test_the_context_is_of_this_request(driver: base.Auth) -> None:
    """Request id and trace context go through."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    context = driver.context(environ(HTTP_TRACEPARENT=trace), "req-7")
    assert isinstance(context, models.RequestContext)
    assert (context.request_id, context.traceparent) == ("req-7", trace)


def test_identity_headers_are_removed_and_change_nothing(driver: base.Auth) -> None:
    """What the client says of itself is gone before anybody else could read it."""
    told = environ(**LIES)
    assert driver.context(told, "req-1") == driver.context(environ(), "req-1")
    assert set(told) & set(LIES) == set()


def test_none_is_the_administrator_of_one_project() -> None:
    """Of loopback only."""
    driver = none.NoAuth(config.load())
    context = driver.context(environ(), "req-1")
    assert (context.project_id, context.is_admin) == ("default", True)
    assert driver.loopback_only
