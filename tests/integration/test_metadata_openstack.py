"""A function that uses OpenStack with the token it was lent: real Keystone, Swift and SDK."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import session

from funcflow.delegations import Delegation
from funcflow.sandboxes import local
from funcflow.sandboxes.base import Sandbox
from tests import bundles, sandboxing
from tools.services import identities, swift

#: Seconds for a run: the SDK is large, and the machine may be busy.
PATIENT = 60.0
FUNCTIONS = """
def read(container, name, context):
    cloud = context.openstack()
    return cloud.object_store.download_object(name, container).decode()


def qinling(container, context=None):
    session = context["os_session"]
    url = session.get_endpoint(service_type="object-store", interface="public")
    return [each["name"] for each in session.get(f"{url}/{container}?format=json").json()]


def exchange(context):
    "What a stolen token could be made into."
    from keystoneauth1 import session
    from keystoneauth1.identity import v3
    told = context.metadata("credentials")
    login = v3.Token(told["auth_url"], told["token"], project_id=told["project_id"])
    return login.get_token(session.Session())


def whose(context):
    cloud = context.openstack()
    return [cloud.current_user_id, cloud.current_project_id, context.roles]
"""


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    conf = sandboxing.configuration(tmp_path_factory.mktemp("data"), network="host")
    driver = local.sandbox_of(conf)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("function") / "package"
    return bundles.bring(sandboxing.package(folder, {"main.py": FUNCTIONS}), "openstacksdk")


@pytest.fixture(scope="module")
def lent(cloud: identities.Cloud, swift: swift.Server) -> Delegation:
    """A token scoped by a trust, of a user whose project has an object in Swift."""
    name = uuid.uuid4().hex[:8]
    project = cloud.project(f"team-{name}")
    owner, trustee = cloud.user(f"owner-{name}"), cloud.user(f"trustee-{name}")
    cloud.grant(owner, "member", project=project)
    with_trust = _trust(cloud, owner, trustee, project)
    entered = session.Session(cloud.login(trustee, trust_id=with_trust))
    try:
        told = entered.auth.get_access(entered)
        container = f"{swift.url}/v1/AUTH_{project}/papers"
        for url, data in ((container, b""), (f"{container}/letter.txt", b"Dear function")):
            entered.put(url, data=data)
    finally:
        entered.session.close()
    return Delegation(
        token=told.auth_token,
        expires_at=told.expires.timestamp(),
        user_id=owner.id,
        project_id=project,
        roles=tuple(sorted(told.role_names)),
        catalog=tuple(told.service_catalog.catalog),
    )


def _trust(
    cloud: identities.Cloud, owner: identities.User, trustee: identities.User, project: str
) -> str:
    entered = session.Session(cloud.login(owner, project_id=project))
    body = {
        "trustor_user_id": owner.id,
        "trustee_user_id": trustee.id,
        "project_id": project,
        "impersonation": True,
        "roles": [{"name": "member"}],
    }
    try:
        url = f"{cloud.auth_url}/OS-TRUST/trusts"
        return str(entered.post(url, json={"trust": body}).json()["trust"]["id"])
    finally:
        entered.session.close()


def value(sandbox: Sandbox, folder: Path, entry: str, lent: Delegation | None, **input: Any) -> Any:
    spec = sandboxing.spec(folder, entry, network=True, memory_size=256 << 20)
    outcome, log = sandboxing.once(sandbox, spec, input, delegation=lent, timeout=PATIENT)
    assert outcome.error is None, (outcome.error, log.text())
    return json.loads(outcome.value or "")


def test_a_function_reads_an_object_in_three_lines(
    sandbox: Sandbox, folder: Path, lent: Delegation
) -> None:
    read = {"container": "papers", "name": "letter.txt"}
    assert value(sandbox, folder, "main.read", lent, **read) == "Dear function"


def test_a_function_of_qinling_has_its_session(
    sandbox: Sandbox, folder: Path, lent: Delegation
) -> None:
    assert value(sandbox, folder, "main.qinling", lent, container="papers") == ["letter.txt"]


def test_it_is_the_owner_with_the_roles_of_the_trust(
    sandbox: Sandbox, folder: Path, lent: Delegation
) -> None:
    told = value(sandbox, folder, "main.whose", lent)
    assert told == [lent.user_id, lent.project_id, list(lent.roles)]


def test_who_was_lent_nothing_is_told_so(sandbox: Sandbox, folder: Path) -> None:
    read = {"container": "papers", "name": "letter.txt"}
    spec = sandboxing.spec(folder, "main.read", network=True, memory_size=256 << 20)
    outcome, _ = sandboxing.once(sandbox, spec, read, timeout=PATIENT)
    assert outcome.error is not None
    assert outcome.error.type == "MetadataError"


def test_the_token_cannot_be_made_into_another(
    sandbox: Sandbox, folder: Path, lent: Delegation
) -> None:
    spec = sandboxing.spec(folder, "main.exchange", network=True, memory_size=256 << 20)
    outcome, _ = sandboxing.once(sandbox, spec, delegation=lent, timeout=PATIENT)
    assert outcome.error is not None
    assert outcome.error.type == "Forbidden"
