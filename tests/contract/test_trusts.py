"""The contract of trusts drivers: what somebody lends gives tokens of theirs, and ends for good.

The driver of Keystone speaks to a real one.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from keystoneauth1 import session

from funcflow import conf as config
from funcflow import errors, models
from funcflow.trusts import base, keystone, memory, none
from tools.services import identities

_CONFIG = """\
[trusts]
auth_type = password
auth_url = {url}
username = {user.name}
password = {user.password}
user_domain_id = default
{more}
"""
Person = Callable[..., models.RequestContext]


def keystone_driver(
    cloud: identities.Cloud, folder: Path, more: str = "", name: str = "trustee"
) -> keystone.KeystoneTrusts:
    """As a service whose user has no role anywhere."""
    file = folder / "trusts.conf"
    file.write_text(_CONFIG.format(url=cloud.auth_url, user=cloud.user(name), more=more))
    return keystone.KeystoneTrusts(config.load([file]))


@pytest.fixture(params=["memory", "keystone"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[base.Driver]:
    if request.param == "memory":
        yield memory.MemoryTrusts(config.load())
        return
    made = keystone_driver(request.getfixturevalue("cloud"), tmp_path)
    yield made
    made.close()


@pytest.fixture
def person(request: pytest.FixtureRequest, driver: base.Driver) -> Person:
    """Somebody new with these roles in a project of their own, logged in to it."""

    def make(*roles: str) -> models.RequestContext:
        if isinstance(driver, memory.MemoryTrusts):
            return models.RequestContext(
                project_id=uuid.uuid4().hex, user_id=uuid.uuid4().hex, roles=roles, request_id="r"
            )
        cloud: identities.Cloud = request.getfixturevalue("cloud")
        user = cloud.user(f"user-{uuid.uuid4().hex[:8]}")
        project = cloud.project(f"team-{uuid.uuid4().hex[:8]}")
        cloud.grant(user, *roles, project=project)
        return models.RequestContext(
            project_id=project, user_id=user.id, roles=roles, request_id="r",
            auth_token=cloud.token(user, project_id=project),
        )  # fmt: skip

    return make


def test_it_is_a_driver(driver: base.Driver) -> None:
    assert isinstance(driver, base.Driver)


def test_a_token_is_the_trustors_and_has_the_roles_that_were_lent(
    driver: base.Driver, person: Person
) -> None:
    ann = person("manager", "member", "reader")
    made = driver.make(ann, ["reader"], None)
    lent = driver.token(made.id)
    assert (lent.user_id, lent.project_id, lent.roles) == (
        ann.user_id, ann.project_id, ("reader",)
    )  # fmt: skip
    assert lent.expires_at > time.time()
    assert driver.good(lent)
    for secret in (made.id, lent.token):
        assert secret not in repr(made) + repr(lent)
    driver.remove(made.id)


def test_what_was_removed_gives_nothing(driver: base.Driver, person: Person) -> None:
    made = driver.make(person("member"), ["member"], None)
    lent = driver.token(made.id)
    driver.remove(made.id)
    with pytest.raises(base.TrustInvalid):
        driver.token(made.id)
    assert not driver.good(lent), "its tokens end with it"
    driver.remove(made.id)  # again does no harm


def test_nobody_lends_what_they_do_not_have(driver: base.Driver, person: Person) -> None:
    with pytest.raises(base.TrustRefused):
        driver.make(person("reader"), ["admin"], None)


def test_it_ends_by_itself(driver: base.Driver, person: Person) -> None:
    ends = time.time() + 300
    made = driver.make(person("member"), ["member"], ends)
    assert made.expires_at == ends
    assert driver.token(made.id).expires_at <= ends + 1
    driver.remove(made.id)


def test_without_a_driver_nothing_is_lent() -> None:
    driver = none.NoTrusts(config.load())
    assert isinstance(driver, base.Driver)
    asker = models.RequestContext(project_id="p", roles=("member",), request_id="r")
    with pytest.raises(base.TrustRefused):
        driver.make(asker, ["member"], None)
    with pytest.raises(base.TrustInvalid):
        driver.token("any")


# -- what only Keystone has ---------------------------------------------------------------------


@pytest.fixture
def real(cloud: identities.Cloud, tmp_path: Path) -> Iterator[keystone.KeystoneTrusts]:
    made = keystone_driver(cloud, tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize(
    "fault",
    ["user disabled", "user deleted", "project disabled", "project deleted", "role lost"],
)
def test_what_is_gone_gives_no_token(
    cloud: identities.Cloud, real: keystone.KeystoneTrusts, fault: str
) -> None:
    user = cloud.user(f"user-{uuid.uuid4().hex[:8]}")
    project = cloud.project(f"team-{uuid.uuid4().hex[:8]}")
    cloud.grant(user, "member", project=project)
    ann = models.RequestContext(
        project_id=project, user_id=user.id, roles=("member",), request_id="r",
        auth_token=cloud.token(user, project_id=project),
    )  # fmt: skip
    made = real.make(ann, ["member"], None)
    lent = real.token(made.id)
    what, _, how = fault.partition(" ")
    path = f"/users/{user.id}" if what == "user" else f"/projects/{project}"
    if how == "disabled":
        cloud.rest.patch(path, json={what: {"enabled": False}})
    elif how == "deleted":
        cloud.rest.delete(path)
    else:
        cloud.revoke(user, "member", project)
    with pytest.raises(base.TrustInvalid):
        real.token(made.id)
    assert not real.good(lent)


def test_an_application_credential_lends_nothing(
    cloud: identities.Cloud, real: keystone.KeystoneTrusts
) -> None:
    user = cloud.user(f"user-{uuid.uuid4().hex[:8]}")
    project = cloud.project(f"team-{uuid.uuid4().hex[:8]}")
    cloud.grant(user, "member", project=project)
    entered = session.Session(cloud.application_credential(user, project, "laptop"))
    try:
        token = str(entered.get_token())
    finally:
        entered.session.close()
    ann = models.RequestContext(
        project_id=project, user_id=user.id, roles=("member",), request_id="r", auth_token=token
    )
    with pytest.raises(base.TrustRefused):
        real.make(ann, ["member"], None)


def test_a_trust_is_not_called_bad_because_our_own_password_is(
    cloud: identities.Cloud, tmp_path: Path
) -> None:
    name = f"trustee-{uuid.uuid4().hex[:8]}"
    ours = keystone_driver(cloud, tmp_path, name=name)
    trustee = cloud.user(name)
    user, project = cloud.user(f"user-{uuid.uuid4().hex[:8]}"), cloud.project("team")
    cloud.grant(user, "member", project=project)
    ann = models.RequestContext(
        project_id=project, user_id=user.id, roles=("member",), request_id="r",
        auth_token=cloud.token(user, project_id=project),
    )  # fmt: skip
    made = ours.make(ann, ["member"], None)
    cloud.rest.patch(f"/users/{trustee.id}", json={"user": {"password": "another"}})
    with pytest.raises(errors.Unavailable):
        ours.token(made.id)
    ours.close()


def test_a_keystone_that_is_away_is_no_refusal(tmp_path: Path) -> None:
    file = tmp_path / "trusts.conf"
    file.write_text(
        "[trusts]\nauth_type = password\nauth_url = http://127.0.0.1:1/v3\nusername = u\n"
        "password = p\nuser_domain_id = default\n"
    )
    driver = keystone.KeystoneTrusts(config.load([file]))
    asker = models.RequestContext(
        project_id="p", user_id="u", roles=("member",), request_id="r", auth_token="t"
    )
    for ask in (
        lambda: driver.make(asker, ["member"], None),
        lambda: driver.token("any"),
        lambda: driver.remove("any"),
    ):
        with pytest.raises(errors.Unavailable):
            ask()
    driver.close()


def test_a_service_that_cannot_use_trusts_says_so(tmp_path: Path) -> None:
    file = tmp_path / "trusts.conf"
    file.write_text(
        "[trusts]\nauth_type = v3applicationcredential\nauth_url = http://127.0.0.1:1/v3\n"
        "application_credential_id = i\napplication_credential_secret = s\n"
    )
    driver = keystone.KeystoneTrusts(config.load([file]))
    asker = models.RequestContext(
        project_id="p", user_id="u", roles=("member",), request_id="r", auth_token="t"
    )
    with pytest.raises(errors.ConfigError, match="application credential"):
        driver.make(asker, ["member"], None)
    driver.close()


def test_it_logs_in_as_the_service_does_unless_told_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "trusts.conf"
    file.write_text(
        "[keystone_authtoken]\nauth_type = password\nauth_url = http://127.0.0.1:1/v3\n"
        "username = u\npassword = p\nuser_domain_id = default\nproject_name = service\n"
        "project_domain_id = default\n"
    )
    driver = keystone.KeystoneTrusts(config.load([file]))
    with pytest.raises(errors.Unavailable):
        driver.token("any")
    driver.close()


def test_without_saying_how_to_log_in_it_does_not_start() -> None:
    with pytest.raises(errors.ConfigError, match="auth_type"):
        keystone.KeystoneTrusts(config.load())
