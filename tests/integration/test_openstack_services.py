"""Keystone and Swift, as the other tests stand on them: they work and break on demand."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions, session
from keystoneauth1.identity import v3

from tools.services import identities, keystone, swift


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex[:8]}"


def call(method: str, url: str, **options: Any) -> requests.Response:
    return requests.request(method, url, timeout=30, **options)


def roles(login: v3.Password) -> set[str]:
    """Names of the roles a login gives."""
    entered = session.Session(login)
    try:
        return set(login.get_access(entered).role_names)
    finally:
        entered.session.close()


def test_people_have_the_roles_they_were_given(cloud: identities.Cloud) -> None:
    project, user = cloud.project(unique("team")), cloud.user(unique("ann"))
    cloud.grant(user, "member", project=project)
    assert roles(cloud.login(user, project_id=project)) == {"member", "reader"}

    cloud.revoke(user, "member", project)
    with pytest.raises(exceptions.Unauthorized):
        cloud.token(user, project_id=project)


def test_an_application_credential_logs_in(cloud: identities.Cloud) -> None:
    project, user = cloud.project(unique("team")), cloud.user(unique("ann"))
    cloud.grant(user, "reader", project=project)
    assert roles(cloud.application_credential(user, project, "laptop")) == {"reader"}


def test_a_killed_keystone_comes_back_with_its_users(keystone_node: keystone.Server) -> None:
    with identities.Cloud(keystone_node.url) as cloud:
        user, project = cloud.user("ann"), cloud.project("team")
        cloud.grant(user, "reader", project=project)
        keystone_node.kill()
        with pytest.raises(exceptions.ConnectFailure):
            cloud.token(user, project_id=project)
        keystone_node.start()
        assert cloud.token(user, project_id=project)


@pytest.fixture
def account(cloud: identities.Cloud) -> tuple[str, dict[str, str]]:
    """A fresh project's account, and the headers that let its member in."""
    project, user = cloud.project(unique("team")), cloud.user(unique("ann"))
    cloud.grant(user, "member", project=project)
    return f"AUTH_{project}", {"X-Auth-Token": cloud.token(user, project_id=project)}


def test_swift_keeps_what_a_user_of_keystone_gives_it(
    swift: swift.Server, account: tuple[str, dict[str, str]]
) -> None:
    name, headers = account
    shelf = f"{swift.url}/v1/{name}/shelf"

    assert call("PUT", shelf, headers=headers).status_code == 201
    assert call("PUT", f"{shelf}/thing", data=b"kept", headers=headers).status_code == 201
    assert call("GET", f"{shelf}/thing", headers=headers).content == b"kept"
    assert call("GET", f"{shelf}/thing").status_code == 401


def test_a_killed_swift_comes_back_with_its_objects(
    swift_node: swift.Server, account: tuple[str, dict[str, str]]
) -> None:
    name, headers = account
    shelf = f"{swift_node.url}/v1/{name}/shelf"
    assert call("PUT", shelf, headers=headers).status_code == 201
    assert call("PUT", f"{shelf}/thing", data=b"kept", headers=headers).status_code == 201
    swift_node.kill()
    with pytest.raises(requests.ConnectionError):
        call("GET", f"{shelf}/thing", headers=headers)

    swift_node.start()
    assert call("GET", f"{shelf}/thing", headers=headers).content == b"kept"
