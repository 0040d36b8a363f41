"""What every auth driver promises: it believes no identity the client claims."""

from __future__ import annotations

from typing import Any

import pytest

from funcflow import conf, errors, models, plugins
from funcflow.auth.base import Auth
from funcflow.cmd import parts

CLAIMS = {
    "HTTP_X_PROJECT_ID": "victim",
    "HTTP_X_USER_ID": "victim",
    "HTTP_X_ROLES": "admin",
    "HTTP_X_IDENTITY_STATUS": "Confirmed",
    "HTTP_X_SERVICE_TOKEN": "forged",
}


@pytest.fixture(params=["none"])
def driver(request: pytest.FixtureRequest) -> Auth:
    made: Auth = plugins.load("funcflow.auth", request.param)(conf.load())
    assert isinstance(made, Auth)
    return made


def environ(**headers: str) -> dict[str, Any]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": "/v1/functions", **headers}


def test_a_context_names_project_and_request(driver: Auth) -> None:
    context = driver.context(environ(), "req-1")
    assert isinstance(context, models.RequestContext)
    assert context.project_id
    assert context.request_id == "req-1"


def test_claimed_identities_change_nothing_and_go_no_further(driver: Auth) -> None:
    claimed = environ(**CLAIMS)
    assert driver.context(claimed, "r") == driver.context(environ(), "r")
    assert not set(CLAIMS) & set(claimed)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_a_driver_that_asks_nobody_serves_loopback_only(driver: Auth, host: str) -> None:
    assert driver.loopback_only, "drivers that ask need a test of their own here"
    with pytest.raises(errors.ConfigError, match="may not listen"):
        parts.auth(conf.load(), host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_fine(host: str) -> None:
    assert parts.auth(conf.load(), host).loopback_only
