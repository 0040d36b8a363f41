"""The real clients against a funcflow behind a real Keystone: ours, ``openstack`` and
python-qinlingclient's commands in it."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from funcflow.cmd import up
from tests import openstack
from tests.integration.test_qinlingclient import DRIVER
from tools.services import identities

SOURCE = "def main(name='world', **rest):\n    return name\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clouds")


@pytest.fixture(scope="module")
def listed(cloud: identities.Cloud, guarded: up.Server) -> up.Server:
    """The shared funcflow, in the catalog."""
    cloud.service("funcflow", "function-engine", guarded.url)
    return guarded


@pytest.fixture(scope="module")
def environment(cloud: identities.Cloud, listed: up.Server, folder: Path) -> dict[str, str]:
    """With a clouds.yaml of a member ``dev``, a reader ``eye`` and the administrator."""
    team = openstack.Team.make(cloud, listed.url)
    people = {"dev": team.user("member"), "eye": team.user("reader")}
    common = {"auth_url": cloud.auth_url, "user_domain_id": "default"}
    clouds = {
        name: {
            "region_name": identities.REGION,
            "auth": {
                **common,
                "username": user.name,
                "password": user.password,
                "project_id": team.project,
            },
        }
        for name, user in people.items()
    }
    clouds["root"] = {
        "region_name": identities.REGION,
        "auth": {
            **common,
            "username": identities.ADMIN,
            "password": identities.ADMIN_PASSWORD,
            "project_name": "admin",
            "project_domain_id": "default",
        },
    }
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": clouds}))
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    return {**plain, "OS_CLIENT_CONFIG_FILE": str(file), "PYTHONWARNINGS": "ignore"}


def funcflow(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "funcflow.cli.main", *words],
        env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def told(environment: dict[str, str], *words: str) -> Any:
    """What a command that must work prints."""
    done = funcflow(environment, *words, "-f", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_our_command_logs_in_with_clouds_yaml(environment: dict[str, str], folder: Path) -> None:
    """By option or by variable; the catalog says where to go."""
    (folder / "main.py").write_text(SOURCE)
    name = f"hello-{uuid.uuid4().hex[:6]}"
    create = ("function", "create", name, "--file", str(folder / "main.py"), "--timeout", "20")
    made = told(environment, "--os-cloud", "dev", *create)
    ran = funcflow({**environment, "OS_CLOUD": "dev"}, "invoke", name)
    assert (ran.returncode, ran.stdout) == (0, "world\n"), ran.stderr

    seen = told({**environment, "OS_CLOUD": "eye"}, "function", "list")
    assert made["id"] in [row["id"] for row in seen]
    refused = funcflow({**environment, "OS_CLOUD": "eye"}, "function", "delete", name)
    assert refused.returncode == 1
    assert "functions:delete" in refused.stderr

    shared = told(
        environment, "--os-cloud", "dev", "function", "share", "create", name,
        "--project", "somebody", "--permission", "read",
    )  # fmt: skip
    rows = told(environment, "--os-cloud", "dev", "function", "share", "list", name)
    assert [row["id"] for row in rows] == [shared["id"]]
    gone = funcflow(
        environment, "--os-cloud", "dev", "function", "share", "delete", name, shared["id"]
    )
    assert gone.returncode == 0, gone.stderr


def test_what_keystone_refuses_is_told(environment: dict[str, str]) -> None:
    """In a sentence, with a way out, and without a traceback."""
    wrong = funcflow(environment, "--os-cloud", "dev", "--os-password", "no", "function", "list")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("Error: Keystone does not let you in")
    nowhere = funcflow(environment, "--os-cloud", "nowhere", "function", "list")
    assert nowhere.stderr.startswith("Error: Cloud nowhere was not found")
    away = ("--os-auth-url", "http://127.0.0.1:1/v3", "--os-username", "x", "--os-password", "x")
    silent = funcflow(environment, *away, "--os-project-id", "x", "function", "list")
    assert "no answer from http://127.0.0.1:1" in silent.stderr, silent.stderr


def test_without_a_cloud_nothing_of_openstack_is_loaded() -> None:
    """It would take longer than the command itself."""
    code = (
        "import sys; from funcflow.cli import main; main.main(['help']);"
        "print({'openstack', 'keystoneauth1', 'requests'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.endswith("set()\n"), done.stdout + done.stderr


class OpenStackClient:
    """The ``openstack`` command, in one process for many commands of one cloud: it keeps who
    logged in first."""

    def __init__(self, environment: dict[str, str], folder: Path, cloud: str) -> None:
        environment = {**environment, "OS_CLOUD": cloud}
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", DRIVER],
            env=environment, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def close(self) -> None:
        self._in.close()
        self._process.wait(timeout=30)
        self._out.close()

    def run(self, *words: str) -> tuple[int, str, str]:
        self._in.write(json.dumps(words) + "\n")
        self._in.flush()
        code, out, err = json.loads(self._out.readline())
        return code, out, err

    def json(self, *words: str) -> Any:
        code, out, err = self.run(*words, "-f", "json")
        assert code == 0, (words, out, err)
        return json.loads(out)


@pytest.fixture
def clients(environment: dict[str, str], folder: Path) -> Iterator[list[OpenStackClient]]:
    """The member's and the reader's."""
    made = [OpenStackClient(environment, folder, cloud) for cloud in ("dev", "eye")]
    yield made
    for client in made:
        client.close()


def test_the_openstack_command(clients: list[OpenStackClient], folder: Path) -> None:
    """Ours are `openstack funcflow …`; python-qinlingclient's work beside them, unchanged."""
    dev, eye = clients
    (folder / "main.py").write_text(SOURCE)
    made = dev.json(
        "function", "create", "--runtime", "python3", "--name", "by-qinling",
        "--file", str(folder / "main.py"), "--entry", "main.main", "--timeout", "20",
    )  # fmt: skip
    ran = dev.json("function", "execution", "create", "--function", made["id"])
    assert ran["status"] == "success"
    assert ran["project_id"] == made["project_id"]
    assert made["id"] in [row["id"] for row in eye.json("funcflow", "function", "list")]
    shown = eye.json("funcflow", "execution", "show", ran["id"])
    assert shown["function_id"] == made["id"]
    code, _, err = eye.run("funcflow", "function", "delete", made["id"])
    assert (code, "functions:delete" in err) == (1, True), err
    code, _, err = dev.run("runtime", "create", "funcflow/python3")
    assert (code, "runtimes:create" in err) == (1, True), err
    dev.run("function", "delete", made["id"])
    assert dev.run("function", "show", made["id"])[0] == 1


def test_bootstrap(
    environment: dict[str, str], cloud: identities.Cloud, folder: Path, listed: up.Server
) -> None:
    """It makes everything that is needed, does no harm the second time, and moves endpoints;
    its lines are a configuration that works."""
    user = f"funcflow-{uuid.uuid4().hex[:6]}"
    words = ("--os-cloud", "root", "bootstrap-keystone", "--user", user, "--public-url")
    first = funcflow(environment, *words, "http://old.example.org:7070")
    assert first.returncode == 0, first.stderr
    again = funcflow(environment, *words, listed.url)
    assert again.returncode == 0, again.stderr
    assert "(as it was)" in again.stdout

    services = cloud.rest.get("/services", params={"type": "function-engine"}).json()["services"]
    assert len(services) == 1
    known = cloud.rest.get("/endpoints", params={"service_id": services[0]["id"]}).json()
    assert sorted(e["interface"] for e in known["endpoints"]) == ["admin", "internal", "public"]
    assert {e["url"] for e in known["endpoints"]} == {listed.url}

    said = configparser.ConfigParser()
    said.read_string(first.stdout)
    assert said["keystone_authtoken"]["username"] == user
    file = folder / "funcflow.conf"
    file.write_text(first.stdout)
    with_it = up.Server(
        up.load(up.Options(port=0, data_dir=str(folder / "data"), config_files=[file]))
    )
    try:
        team = openstack.Team.make(cloud, with_it.url)
        assert team.api("reader")("GET", "/v1/functions").status == 200
        owned: dict[str, Any] = {"identity": {"as": "owner", "roles": ["member"]}, "timeout": 20}
        made = team.api("member").function(SOURCE, **owned)
        ran = team.api("member").run(made["id"])
        assert ran["state"] == "succeeded", "its user can be lent identities"
    finally:
        with_it.stop()


def test_bootstrap_is_for_administrators(environment: dict[str, str]) -> None:
    done = funcflow(
        environment, "--os-cloud", "dev", "bootstrap-keystone", "--public-url", "http://x"
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: Keystone refused")
