"""Functions shared between projects: each share grants what it names, until it is taken back."""

from __future__ import annotations

import datetime
import json
import uuid
from typing import Any

import pytest

from funcflow.cmd import up
from tests import openstack
from tests.api.client import Answer, zipped
from tests.waiting import until
from tools.services import identities

FIRST = "def main(**rest):\n    return 1\n"
SECOND = "def main(**rest):\n    return 2\n"
BROKEN = "SECRET = 'in the code'\n\ndef main(**rest):\n    raise ValueError('no')  # hush\n"
COUNTING = "seen = []\n\ndef main(**rest):\n    seen.append(1)\n    return len(seen)\n"


@pytest.fixture(scope="module")
def team(cloud: identities.Cloud, guarded: up.Server) -> openstack.Team:
    return openstack.Team.make(cloud, guarded.url)


@pytest.fixture(scope="module")
def dev(team: openstack.Team) -> openstack.As:
    """A manager of the project whose functions are shared."""
    return team.api("manager", "member")


@pytest.fixture(scope="module")
def domain(cloud: identities.Cloud) -> str:
    return cloud.domain(f"domain-{uuid.uuid4().hex[:8]}")


@pytest.fixture(scope="module")
def prod_team(cloud: identities.Cloud, guarded: up.Server, domain: str) -> openstack.Team:
    """A project in another domain."""
    return openstack.Team.make(cloud, guarded.url, domain)


@pytest.fixture(scope="module")
def prod(prod_team: openstack.Team) -> openstack.As:
    return prod_team.api("member")


def share(owner: openstack.As, function: str, permission: str, **body: Any) -> dict[str, Any]:
    answer = owner("POST", f"/v1/functions/{function}/shares", {"permission": permission, **body})
    assert answer.status == 201, answer.body
    made: dict[str, Any] = answer.json
    return made


def deploy(owner: openstack.As, source: str = FIRST, **fields: Any) -> str:
    fields.setdefault("timeout", 20)
    return str(owner.function(source, name=f"f-{uuid.uuid4().hex[:8]}", **fields)["id"])


def call(caller: openstack.As, **body: Any) -> Answer:
    return caller("POST", "/v1/executions", body)


def output(caller: openstack.As, **body: Any) -> Any:
    """What a call gives that must go well."""
    answer = call(caller, **body)
    assert answer.status == 201, answer.body
    return json.loads(answer.json["result"])["output"]


def test_dev_publishes_and_prod_may_only_execute(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """The whole story: dev owns and publishes, prod calls the alias and nothing else."""
    function = deploy(dev)
    assert dev("POST", f"/v1/functions/{function}/versions", {}).status == 201
    alias = {"name": "live", "function_id": function, "function_version": 1}
    assert dev("POST", "/v1/aliases", alias).status == 201
    mine = share(dev, function, "execute", target_id=prod_team.project, function_alias="live")
    live = f"{function}:live"

    ran = call(prod, function_alias=live)
    assert (ran.status, json.loads(ran.json["result"])["output"]) == (201, 1), ran.body
    assert ran.json["project_id"] == prod_team.project, "prod's own: its quota, log and bill"

    # Dev publishes the next version; prod's next call gets it.
    assert dev("PUT", f"/v1/functions/{function}", {"source": SECOND}).status == 200
    assert dev("POST", f"/v1/functions/{function}/versions", {}).status == 201
    assert output(prod, function_alias=live) == 1
    assert dev("PATCH", "/v1/aliases/live", {"function_version": 2}).status == 200
    until(
        lambda: output(prod, function_alias=live) == 2,
        what="the alias that was moved",
    )

    # Nothing else.
    for body in ({"function_id": function}, {"function_id": function, "function_version": 2}):
        assert call(prod, **body).code == "not_shared"
    path = f"/v1/functions/{function}"
    refused = [
        prod("GET", f"{path}?download=true"),
        prod("PUT", path, {"source": FIRST}),
        prod("PATCH", path, {"description": "x"}),
        prod("DELETE", path),
        prod("POST", f"{path}/versions", {}),
        prod("GET", f"{path}/versions/2"),
        prod("DELETE", f"{path}/versions/2"),
        prod("PATCH", f"/v1/aliases/{live}", {"function_version": 1}),
        prod("DELETE", f"/v1/aliases/{live}"),
        prod("GET", f"{path}/shares"),
        prod("POST", f"{path}/shares", {"permission": "read", "target_id": "x"}),
        prod("DELETE", f"{path}/shares/{mine['id']}"),
    ]
    assert [answer.status for answer in refused] == [403] * len(refused)
    assert {answer.code for answer in refused} == {"not_shared"}
    assert prod("GET", f"/v1/aliases/{live}").json["function_version"] == 2
    # Dev sees nothing of what prod does with it.
    assert dev("GET", f"/v1/executions/{ran.json['id']}").status == 404
    assert ran.json["id"] not in dev("GET", "/v1/executions").text

    # Taken back, it is as if it were not there, at once.
    assert dev("DELETE", f"{path}/shares/{mine['id']}").status == 204
    assert call(prod, function_alias=live).status == 404
    assert prod("GET", path).status == 404
    assert prod("GET", f"/v1/aliases/{live}").status == 404


def test_who_may_execute_does_not_see_the_code(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """Neither where it is shown nor in an error."""
    function = deploy(dev, BROKEN, environment={"KEY": "secret-value"})
    share(dev, function, "execute", target_id=prod_team.project)
    shown = prod("GET", f"/v1/functions/{function}").json
    assert (shown["code"], shown["environment"], shown["digest"]) == (
        {"source": "hidden"}, {}, None,
    )  # fmt: skip
    assert [grant["permission"] for grant in shown["shared_as"]] == ["execute"]
    assert dev("GET", f"/v1/functions/{function}").json["shared_as"] is None

    failed = call(prod, function_id=function)
    assert failed.json["status"] == "failed"
    seen = failed.text + prod("GET", f"/v1/executions/{failed.json['id']}/log").text
    assert "ValueError" in failed.text
    assert "hush" not in seen
    own = call(dev, function_id=function)
    assert own.json["error"]["trace"], "the owner sees where"


def test_who_may_read_sees_the_code_and_runs_nothing(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    function = deploy(dev)
    assert dev("POST", f"/v1/functions/{function}/versions", {}).status == 201
    share(dev, function, "read", target_id=prod_team.project)
    path = f"/v1/functions/{function}"
    assert prod("GET", path).json["code"]["source"] == "source"
    assert prod("GET", f"{path}?download=true").body[:2] == b"PK"
    assert prod("GET", f"{path}/versions/1?download=true").body[:2] == b"PK"
    assert len(prod("GET", f"{path}/versions").json["function_versions"]) == 1
    assert call(prod, function_id=function).code == "not_shared"
    assert prod("PUT", path, {"source": SECOND}).code == "not_shared"


def test_who_may_publish_deploys_and_moves_and_neither_reads_nor_runs(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """Here prod owns the function, and dev's pipeline publishes into it."""
    function = deploy(prod)
    path = f"/v1/functions/{function}"
    assert prod("POST", f"{path}/versions", {}).status == 201
    alias = {"name": "live", "function_id": function, "function_version": 1}
    assert prod("POST", "/v1/aliases", alias).status == 201
    own = dev("POST", "/v1/functions", {"runtime": "python3", "source": FIRST}).json["project_id"]
    share(prod, function, "publish", target_id=own)

    assert dev.upload("PUT", path, zipped(main_py=SECOND)).status == 200
    made = dev("POST", f"{path}/versions", {"description": "by dev"})
    assert (made.status, made.json["version_number"]) == (201, 2)
    assert dev("PATCH", f"/v1/aliases/{function}:live", {"function_version": 2}).status == 200
    assert output(prod, function_alias="live") == 2
    assert dev("GET", f"{path}?download=true").code == "not_shared"
    assert dev("GET", path).json["code"] == {"source": "hidden"}
    assert call(dev, function_id=function).code == "not_shared"
    assert dev("DELETE", path).code == "not_shared"
    assert dev("PATCH", f"/v1/aliases/{function}:live", {"function_id": function}).status == 403


def test_a_version_alone(dev: openstack.As, prod: openstack.As, prod_team: openstack.Team) -> None:
    function = deploy(dev)
    path = f"/v1/functions/{function}"
    for source in (SECOND, FIRST):
        assert dev("POST", f"{path}/versions", {}).status == 201
        assert dev("PUT", path, {"source": source}).status == 200
    share(dev, function, "execute", target_id=prod_team.project, function_version=2)
    assert output(prod, function_id=function, function_version=2) == 2
    assert call(prod, function_id=function, function_version=1).code == "not_shared"
    assert call(prod, function_id=function).code == "not_shared"
    listed = prod("GET", f"{path}/versions").json["function_versions"]
    assert [(v["version_number"], v["digest"]) for v in listed] == [(2, None)]
    assert prod("GET", f"{path}/versions/2").json["code"] == {"source": "hidden"}
    assert prod("GET", f"{path}/versions/1").code == "not_shared"
    # With the version goes the share of it.
    assert dev("DELETE", f"{path}/versions/2").status == 204
    assert prod("GET", path).status == 404


def test_a_domain_and_all(
    dev: openstack.As, prod: openstack.As, team: openstack.Team, domain: str,
    cloud: identities.Cloud,
) -> None:  # fmt: skip
    """Managers share so widely, members do not."""
    function = deploy(dev)
    stranger = openstack.Team.make(cloud, team.url).api("member")
    wide = {"permission": "execute", "target_kind": "domain", "target_id": domain}
    member = team.api("member")
    assert member("POST", f"/v1/functions/{function}/shares", wide).code == "policy_denied"
    one = share(dev, function, **wide)
    assert call(prod, function_id=function).status == 201
    assert call(stranger, function_id=function).status == 404

    everybody = share(dev, function, "execute", target_kind="all")
    assert call(stranger, function_id=function).status == 201
    found = stranger("GET", "/v1/functions?shared=true").json["functions"]
    assert function in [row["id"] for row in found]
    assert function not in stranger("GET", "/v1/functions").text
    dev("DELETE", f"/v1/functions/{function}/shares/{everybody['id']}")
    assert call(stranger, function_id=function).status == 404
    dev("DELETE", f"/v1/functions/{function}/shares/{one['id']}")
    assert call(prod, function_id=function).status == 404
    assert function not in prod("GET", "/v1/functions?shared=true").text


def test_a_share_ends(dev: openstack.As, prod: openstack.As, prod_team: openstack.Team) -> None:
    function = deploy(dev)
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    made = share(dev, function, "execute", target_id=prod_team.project, expires_at=end.isoformat())
    until(lambda: call(prod, function_id=function).status == 404, what="the end of the share")
    assert prod("GET", f"/v1/functions/{function}").status == 404
    # The owner sees that it was there.
    assert dev("GET", f"/v1/functions/{function}/shares/{made['id']}").status == 200


def test_projects_never_meet_in_a_worker(
    dev: openstack.As, prod: openstack.As, prod_team: openstack.Team
) -> None:
    """What one leaves in memory the other does not find."""
    function = deploy(dev, COUNTING, concurrency=1)
    share(dev, function, "execute", target_id=prod_team.project)
    assert [output(dev, function_id=function) for _ in range(2)] == [1, 2]
    assert [output(prod, function_id=function) for _ in range(2)] == [1, 2]
    assert output(dev, function_id=function) == 3


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"permission": "execute"}, "bad_share"),
    ({"permission": "execute", "target_kind": "all", "target_id": "x"}, "bad_share"),
    ({"permission": "execute", "target_id": "x", "expires_at": "soon"}, "bad_share"),
    ({"permission": "execute", "target_id": "x", "expires_at": "2020-01-01"}, "bad_share"),
    ({"permission": "own", "target_id": "x"}, "invalid_field"),
    ({"permission": "execute", "target_id": "x", "function_version": 9}, "not_found"),
    ({"permission": "execute", "target_id": "x", "function_alias": "no"}, "not_found"),
    (
        {"permission": "read", "target_id": "x", "function_version": 1, "function_alias": "a"},
        "bad_share",
    ),
]


def test_shares_that_make_no_sense(dev: openstack.As) -> None:
    function = deploy(dev)
    for body, code in NONSENSE:
        answer = dev("POST", f"/v1/functions/{function}/shares", body)
        assert answer.code == code, body
    assert dev("GET", f"/v1/functions/{function}/shares").json["shares"] == []


def test_shares_are_listed_and_are_one_of_a_kind(dev: openstack.As) -> None:
    function = deploy(dev)
    share(dev, function, "execute", target_id="p")
    share(dev, function, "read", target_id="p")
    again = {"permission": "read", "target_id": "p"}
    assert dev("POST", f"/v1/functions/{function}/shares", again).status == 409
    rows = dev("GET", f"/v1/functions/{function}/shares?permission=read").json["shares"]
    assert [(row["target_kind"], row["target_id"]) for row in rows] == [("project", "p")]
    assert dev("DELETE", f"/v1/functions/{function}").status == 204
