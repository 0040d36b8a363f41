"""The contract of quota drivers: each says the limits of a project as they are now."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from funcflow import conf as config
from funcflow import errors
from funcflow.db import schema, usage
from funcflow.db.engine import Database
from funcflow.quotas import base, database, keystone
from tools.services import identities

Change = Callable[[str, str, int], None]
_CONFIG = """\
[quotas]
functions = 7
memory = 1000
[oslo_limit]
auth_type = password
auth_url = {url}
username = {user}
password = {password}
user_domain_id = default
system_scope = all
endpoint_region_name = {region}
"""


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    connected = Database(url)
    yield connected
    connected.close()


@pytest.fixture(params=["database", "keystone"])
def driver(
    request: pytest.FixtureRequest, made: Database, tmp_path: Path
) -> tuple[base.Quotas, Change]:
    """A driver whose default for functions is 7, and how limits of projects are changed."""
    if request.param == "database":
        conf = config.load(quotas={"functions": 7, "triggers": 9, "memory": 1000})

        def change(project: str, resource: str, limit: int) -> None:
            made.transact(
                lambda c: usage.set_limits(c, project, {resource: limit}, now=time.time())
            )

        return database.DatabaseQuotas(conf, made), change
    return _keystone(request.getfixturevalue("cloud"), made, tmp_path)


def _keystone(cloud: identities.Cloud, made: Database, folder: Path) -> tuple[base.Quotas, Change]:
    service = cloud.service("funcflow", "function-engine", "http://127.0.0.1:7070")
    user = cloud.user("funcflow")
    cloud.grant(user, "reader", system=True)
    where = {"service_id": service, "region_id": identities.REGION}
    known = cloud.rest.get("/registered_limits", params=where).json()["registered_limits"]
    # Memory is not registered: what is configured holds.
    for name, limit in (("functions", 7), ("triggers", 9)):
        if not any(each["resource_name"] == name for each in known):
            body = {**where, "resource_name": name, "default_limit": limit}
            cloud.rest.post("/registered_limits", json={"registered_limits": [body]})

    def change(project: str, resource: str, limit: int) -> None:
        own = {**where, "project_id": project, "resource_name": resource, "resource_limit": limit}
        cloud.rest.post("/limits", json={"limits": [own]})

    file = folder / "funcflow.conf"
    file.write_text(
        _CONFIG.format(
            url=cloud.auth_url, user=user.name, password=user.password, region=identities.REGION
        )
    )
    return keystone.KeystoneQuotas(config.load([file]), made), change


def test_it_is_a_driver(driver: tuple[base.Quotas, Change]) -> None:
    made, _ = driver
    assert isinstance(made, base.Quotas)
    assert isinstance(made.writable, bool)


def test_defaults_and_a_projects_own(
    driver: tuple[base.Quotas, Change], request: pytest.FixtureRequest
) -> None:
    made, change = driver
    project, other = _project(request), _project(request)
    assert made.limits(project) == base.Limits(functions=7, triggers=9, memory=1000)
    change(project, "functions", 3)
    change(project, "triggers", 4)
    assert made.limits(project) == base.Limits(functions=3, triggers=4, memory=1000)
    assert made.limits(other).functions == 7


def _project(request: pytest.FixtureRequest) -> str:
    name = f"q-{uuid.uuid4().hex[:8]}"
    if "keystone" in request.node.name:
        cloud: identities.Cloud = request.getfixturevalue("cloud")
        return cloud.project(name)
    return name


class Away:
    """A driver that can be cut off."""

    writable = False
    away = False

    def limits(self, project_id: str) -> base.Limits:
        if self.away:
            raise errors.Unavailable("away")
        return base.Limits(functions=1)


def test_what_was_said_last_holds_while_nobody_can_say() -> None:
    """And whom nobody said anything of has to wait."""
    driver = Away()
    known = base.Known(driver, age=0.0)  # type: ignore[arg-type]
    assert known.limits("a").functions == 1
    driver.away = True
    assert known.limits("a").functions == 1
    with pytest.raises(errors.Unavailable):
        known.limits("b")
