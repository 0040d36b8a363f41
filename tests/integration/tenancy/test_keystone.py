"""The keystone driver in front of a real funcflow, with a real Keystone behind it."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import session

from funcflow.cmd import up
from tests import openstack
from tests.waiting import until
from tools.services import identities, keystone

SOURCE = "def main(**rest):\n    return rest\n"
LIES = {
    "X_Identity_Status": "Confirmed",
    "X_Project_Id": "victim",
    "X_Tenant_Id": "victim",
    "X_User_Id": "root",
    "X_Roles": "admin,member,reader",
    "X_Role": "admin",
    "X_Is_Admin_Project": "True",
    "X_Service_Identity_Status": "Confirmed",
    "X_Service_Roles": "service,admin",
    "OpenStack_System_Scope": "all",
    "Connection": "X-Auth-Token, X-Roles",
}


def token_of(login: Any) -> str:
    entered = session.Session(login)
    try:
        return str(entered.get_token())
    finally:
        entered.session.close()


# -- who gets in --------------------------------------------------------------------------------


def test_strangers_see_the_public_pages_only(guarded: up.Server) -> None:
    stranger = openstack.As(guarded.url)
    for path in ("/", "/v1", "/v1/", "/healthz", "/readyz", "/metrics", "/v1/openapi.json"):
        assert stranger("GET", path).status == 200, path
    for path in ("/v1/functions", "/v1/nothing", "/nothing"):
        answer = stranger("GET", path)
        assert (answer.status, answer.code) == (401, "unauthorized"), path
        sent = {name.lower(): value for name, value in answer.headers.items()}
        assert sent["www-authenticate"].startswith('Keystone uri="http')


def test_who_has_the_token_of_a_task_needs_no_login(
    guarded: up.Server, team: openstack.Team
) -> None:
    """It is the right to answer; one that is none of ours is not there, logged in or not."""
    for api in (openstack.As(guarded.url), team.api("reader")):
        assert api("GET", "/v1/approvals/nonsense").code == "no_task"
        assert api("POST", "/v1/task-tokens/nonsense/success", {}).code == "no_task"
    assert openstack.As(guarded.url)("GET", "/v1/approvals").status == 401


def test_a_token_that_keystone_does_not_know_is_refused(guarded: up.Server) -> None:
    assert openstack.As(guarded.url, "gAAAAAnonsense")("GET", "/v1/functions").status == 401


def test_headers_that_claim_somebody_change_nothing(
    guarded: up.Server, team: openstack.Team
) -> None:
    """Neither of a stranger nor of a reader."""
    assert openstack.As(guarded.url, **LIES)("GET", "/v1/functions").status == 401
    reader = team.api("reader", **LIES)
    assert reader("GET", "/v1/functions").status == 200
    body = {"runtime": "python3", "source": SOURCE}
    assert reader("POST", "/v1/functions", body).code == "policy_denied"
    assert reader("GET", "/v1/functions?all_projects=true").code == "policy_denied"


def test_people_work_in_their_own_project(team: openstack.Team, cloud: identities.Cloud) -> None:
    member = team.api("member")
    made = member.function(SOURCE, name="echo", timeout=20)
    assert made["project_id"] == team.project
    ran = member.run(made["id"], {"a": 1})
    assert (ran["status"], ran["project_id"]) == ("success", team.project)
    stranger = openstack.Team.make(cloud, team.url).api("member")
    assert stranger("GET", f"/v1/functions/{made['id']}").status == 404


def test_personas(team: openstack.Team, cloud: identities.Cloud) -> None:
    """Readers look, members work, managers are members, nobody of them administers."""
    statuses = {}
    for role in ("reader", "member", "manager", "admin"):
        api = team.api(role)
        body = {"runtime": "python3", "source": SOURCE}
        runtime = {"image": "funcflow/python3", "name": f"r-{uuid.uuid4().hex[:6]}"}
        statuses[role] = [
            api("GET", "/v1/functions").status,
            api("POST", "/v1/functions", body).status,
            api("POST", "/v1/runtimes", runtime).status,
        ]
    assert statuses == {
        "reader": [200, 403, 403],
        "member": [200, 201, 403],
        "manager": [200, 201, 403],
        "admin": [200, 201, 201],
    }


def test_scopes(team: openstack.Team, cloud: identities.Cloud) -> None:
    """System scope is for the installation, domain scope and none at all are for nothing."""
    user = team.user("reader")
    cloud.grant(user, "admin", domain=identities.DEFAULT_DOMAIN)
    cloud.grant(user, "admin", system=True)

    system = openstack.As(team.url, cloud.token(user, system_scope="all"))
    assert system("GET", "/v1/runtimes").status == 200
    assert system("GET", "/v1/executions?all_projects=true").status == 200
    assert system("POST", "/v1/executions", {"function_id": "x"}).code == "wrong_scope"

    domain = openstack.As(team.url, cloud.token(user, domain_id=identities.DEFAULT_DOMAIN))
    assert domain("GET", "/v1/functions").code == "wrong_scope"
    assert domain("GET", "/v1/functions?all_projects=true").code == "wrong_scope"
    assert domain("POST", "/v1/runtimes", {"image": "x"}).code == "wrong_scope"

    nowhere = openstack.As(team.url, cloud.token(user, unscoped=True))
    assert nowhere("GET", "/v1/functions").status == 403
    assert nowhere("GET", "/v1/runtimes").status == 403


def test_an_application_credential_does_what_its_rules_say(
    guarded: up.Server, team: openstack.Team, cloud: identities.Cloud
) -> None:
    cloud.service("funcflow", "function-engine", guarded.url)
    user = team.user("member")
    rules = [{"service": "function-engine", "method": "GET", "path": "/v1/functions"}]
    narrow = cloud.application_credential(user, team.project, "narrow", rules)
    wide = cloud.application_credential(user, team.project, "wide")

    listing = openstack.As(team.url, token_of(narrow))
    for _ in range(2):  # what is remembered of the first request must not open other paths
        assert listing("GET", "/v1/functions").status == 200
        assert listing("GET", "/v1/executions").status == 401
        assert listing("POST", "/v1/functions", {}).status == 401
    assert openstack.As(team.url, token_of(wide))("GET", "/v1/executions").status == 200


# -- the policy file ----------------------------------------------------------------------------


def test_the_policy_file_is_heeded_while_it_runs(cloud: identities.Cloud) -> None:
    with tempfile.TemporaryDirectory(prefix="funcflow-") as name:
        folder = Path(name)
        with openstack.server(cloud, folder=folder) as running:
            reader = openstack.Team.make(cloud, running.url).api("reader")
            assert reader("GET", "/v1/aliases").status == 200
            draft = folder / "draft.yaml"
            draft.write_text('"aliases:list": "role:admin"\n')
            draft.rename(folder / "policy.yaml")
            until(lambda: reader("GET", "/v1/aliases").status == 403, what="the new rule")
            assert reader("GET", "/v1/functions").status == 200
            # A broken file changes nothing.
            (folder / "policy.yaml").write_text('"aliases:list": [[[\n')
            assert reader("GET", "/v1/aliases").status == 403
            assert reader("GET", "/v1/functions").status == 200


# -- time ---------------------------------------------------------------------------------------


@pytest.fixture
def own_cloud(keystone_node: keystone.Server) -> Iterator[identities.Cloud]:
    with identities.Cloud(keystone_node.url) as made:
        yield made


def answers(api: openstack.As) -> Callable[[], int]:
    return lambda: api("GET", "/v1/functions").status


def test_keystone_down(keystone_node: keystone.Server, own_cloud: identities.Cloud) -> None:
    """Known tokens go on, also when their answer is no longer fresh; new ones get 503."""
    with openstack.server(own_cloud, cache=1) as running:
        team = openstack.Team.make(own_cloud, running.url)
        known, new = team.api("member"), team.api("member")
        assert known("GET", "/v1/functions").status == 200

        keystone_node.kill()
        answer = new("GET", "/v1/functions")
        assert (answer.status, answer.code) == (503, "keystone_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1
        asked = 0

        def a_while() -> bool:
            nonlocal asked
            asked += 1
            assert known("GET", "/v1/functions").status == 200
            assert new("GET", "/v1/functions").status == 503
            return asked > 200

        until(a_while, what="many requests without a Keystone")
        assert openstack.As(running.url)("GET", "/v1/functions").status == 401
        assert openstack.As(running.url, **LIES)("GET", "/v1/functions").status == 401

        keystone_node.start()
        until(lambda: answers(new)() == 200, what="Keystone to be asked again")
        assert known("GET", "/v1/functions").status == 200


def test_a_frozen_keystone_holds_up_nobody_who_is_known(
    keystone_node: keystone.Server, own_cloud: identities.Cloud
) -> None:
    with openstack.server(own_cloud) as running:
        team = openstack.Team.make(own_cloud, running.url)
        known, new = team.api("member"), team.api("member")
        assert known("GET", "/v1/functions").status == 200
        keystone_node.pause()
        try:
            assert new("GET", "/v1/functions").status == 503
            assert known("GET", "/v1/functions").status == 200
        finally:
            keystone_node.resume()
        until(lambda: answers(new)() == 200, what="Keystone to be asked again")


def test_a_lost_role_is_noticed_when_the_answer_is_old(
    guarded: up.Server, cloud: identities.Cloud
) -> None:
    """Without a memory at once."""
    with openstack.server(cloud, cache=0) as running:
        team = openstack.Team.make(cloud, running.url)
        user = team.user("member")
        api = openstack.As(running.url, cloud.token(user, project_id=team.project))
        assert api("GET", "/v1/functions").status == 200
        cloud.revoke(user, "member", team.project)
        assert api("GET", "/v1/functions").status == 401


def test_a_service_may_pass_on_a_token_that_has_ended(service_folder: Path) -> None:
    """As Nova does for long work; the token alone is refused."""
    with tempfile.TemporaryDirectory(dir=service_folder) as folder:
        brief = keystone.Server(Path(folder), expiration=4)
        try:
            brief.start()
            with identities.Cloud(brief.url) as cloud, openstack.server(cloud) as running:
                team = openstack.Team.make(cloud, running.url)
                token = team.token("member")
                alone = openstack.As(running.url, token)
                until(lambda: answers(alone)() == 401, what="the end of the token")

                service = cloud.user("helper")
                cloud.grant(service, "service", project=cloud.project("service"))
                proof = cloud.token(service, project_id=cloud.project("service"))
                helped = openstack.As(running.url, token, X_Service_Token=proof)
                assert answers(helped)() == 200
                # A member is no service.
                other = openstack.As(running.url, token, X_Service_Token=team.token("member"))
                assert answers(other)() == 401
        finally:
            brief.kill()
