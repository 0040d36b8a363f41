"""The DevStack plugin, its phases run in order against real servers and a stand-in of DevStack."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from funcflow import conf
from tests import openstack
from tools.services import identities, postgres, process
from tools.services import swift as object_store

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = ROOT / "devstack"
STAND_IN = Path(__file__).parent / "stand_in.sh"
EXTRAS = "openstack,postgresql,zookeeper,gunicorn,keystone,notifications,swift"
#: What the service's user has in every test of this session.
SERVICE_PASSWORD = "funcflowpw"


class DevStack:
    """A machine with some of OpenStack on it, whose scripts source the plugin."""

    def __init__(self, root: Path, **local_conf: str) -> None:
        self.root = root
        self.file = root / "etc/funcflow/funcflow.conf"
        (root / "dest").mkdir()
        (root / "dest/funcflow").symlink_to(ROOT)
        plain = {name: text for name, text in os.environ.items() if not name.startswith("OS_")}
        self.env = {
            **plain,
            "ROOT": str(root),
            "DEST": str(root / "dest"),
            "SERVICE_PASSWORD": SERVICE_PASSWORD,
            "DATABASE_PASSWORD": "secretdatabase",
            "KEYSTONE_SERVICE_URI": "http://127.0.0.1/identity",
            "FUNCFLOW_CONF_DIR": str(self.file.parent),
            "PYTHONWARNINGS": "ignore",
            "SERVICE_TIMEOUT": "240",
            **local_conf,
        }

    def __call__(self, *phase: str) -> str:
        """What a phase prints, which must work."""
        done = subprocess.run(
            ["bash", str(STAND_IN), *phase], env=self.env, capture_output=True, text=True
        )
        logs = "".join(
            f"\n{log.name}:\n{log.read_text()[-2000:]}" for log in self.root.glob("*.log")
        )
        assert done.returncode == 0, f"{phase}: {done.stdout}{done.stderr}{logs}"
        return done.stdout

    @property
    def calls(self) -> list[str]:
        """What the plugin would have done to the machine."""
        return (self.root / "calls").read_text().splitlines()

    def kill(self) -> None:
        """End what a test that failed left running."""
        for file in self.root.glob("*.pid"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(file.read_text()), signal.SIGKILL)


@pytest.fixture
def clouds(data_dir: Path, cloud: identities.Cloud) -> Path:
    """The clouds.yaml that stack.sh writes: the administrator's, and a member's of ``demo``."""
    team = openstack.Team.make(cloud, "")
    demo = team.user("member")
    return openstack.clouds_file(
        data_dir,
        cloud,
        devstack_admin=(
            identities.ADMIN,
            identities.ADMIN_PASSWORD,
            cloud.project(identities.ADMIN),
        ),
        devstack=(demo.name, demo.password, team.project),
    )


@pytest.fixture
def devstack(
    data_dir: Path,
    clouds: Path,
    zookeeper: str,
    postgres_server: postgres.Server,
    swift: object_store.Server,
) -> Iterator[DevStack]:
    unique = f"devstack_{uuid.uuid4().hex[:8]}"
    made = DevStack(
        data_dir,
        ENABLED_SERVICES="key,s-proxy,rabbit,mistral",
        MISTRAL_SERVICE_PROTOCOL="http",
        MISTRAL_SERVICE_HOST="127.0.0.1",
        OS_CLIENT_CONFIG_FILE=str(clouds),
        FUNCFLOW_SERVICE_PORT=str(process.free_port()),
        FUNCFLOW_DB_HOST=f"127.0.0.1:{postgres_server.port}",
        FUNCFLOW_DB_NAME=unique,
        FUNCFLOW_DB_USER=unique,
        FUNCFLOW_ZOOKEEPER_HOSTS=zookeeper,
        FUNCFLOW_ZOOKEEPER_PATH=f"/{unique}",
        PGHOST="127.0.0.1",
        PGPORT=str(postgres_server.port),
        PGUSER="funcflow",
    )
    try:
        yield made
    finally:
        made.kill()


def test_stack_runs_a_function_and_clean_leaves_nothing(devstack: DevStack) -> None:
    devstack("stack", "pre-install")
    devstack("stack", "install")
    devstack("stack", "post-config")

    settings = conf.load([devstack.file])
    assert settings.api.auth == "keystone"
    assert settings.sandbox.driver == "process"
    assert settings.jobboard.driver == "zookeeper"
    assert settings.compositions.buckets == "swift"
    assert settings.mistral.url == "http://127.0.0.1:8989"
    assert settings.notifications.transport_url.startswith("rabbit://stackrabbit:")
    secret = settings.secret
    assert len(secret) > 40
    assert devstack.file.stat().st_mode & 0o077 == 0, "it holds passwords"
    unit = devstack.root / "etc/systemd/system/devstack@funcflow-conductor.service.d/delegate.conf"
    assert "Delegate=yes" in unit.read_text()

    devstack("stack", "extra")
    assert "funcflow works" in devstack("stack", "test-config")
    devstack("unstack")
    devstack("clean")

    assert not devstack.file.parent.exists()
    assert not unit.exists()
    bin_dir = Path(shutil.which("funcflow") or "").parent
    source = devstack.root / "dest/funcflow"
    assert [call for call in devstack.calls if not call.startswith("sysctl")] == [
        "install_package nodejs",
        "install_package postgresql",
        "start_service postgresql",
        f"setup_develop {source} {EXTRAS}",
        f"pip_install {source}/mistral_actions",
        *(
            f"run_process {name} {bin_dir}/{name} --config-file {devstack.file}"
            for name in ("funcflow-conductor", "funcflow-api", "funcflow-events")
        ),
        *(
            f"stop_process {name}"
            for name in ("funcflow-conductor", "funcflow-api", "funcflow-events")
        ),
    ]


def test_a_kubeconfig_makes_workers_pods(data_dir: Path, clouds: Path) -> None:
    """And without Swift, RabbitMQ and Mistral nothing of them is configured."""
    devstack = DevStack(
        data_dir,
        ENABLED_SERVICES="key",
        OS_CLIENT_CONFIG_FILE=str(clouds),
        FUNCFLOW_KUBECONFIG="/etc/kube.config",
        FUNCFLOW_IMAGES="python3:registry.example.org/python3:1",
        FUNCFLOW_DB_URL=f"sqlite:///{data_dir}/funcflow.db",
        FUNCFLOW_ZOOKEEPER_HOSTS="zk1:2181",
    )
    devstack("stack", "pre-install")
    devstack("stack", "install")
    devstack("stack", "post-config")
    settings = conf.load([devstack.file])
    assert settings.sandbox.driver == "kubernetes"
    assert settings.kubernetes.kubeconfig == "/etc/kube.config"
    assert settings.kubernetes.images == {"python3": "registry.example.org/python3:1"}
    assert settings.notifications.transport_url is None
    assert settings.mistral.url is None
    assert settings.store.path == str(data_dir / "data/funcflow/packages")
    assert devstack.calls == [
        "install_package nodejs",
        f"setup_develop {data_dir}/dest/funcflow {EXTRAS},kubernetes",
    ]


def test_a_plugin_that_is_not_enabled_does_nothing(data_dir: Path) -> None:
    script = (
        "function is_service_enabled { false; }; function echo_summary { echo did; };"
        f"set -e; source {PLUGIN}/plugin.sh stack install; source {PLUGIN}/plugin.sh clean"
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", ["devstack/plugin.sh", "devstack/settings", "devstack/smoke.sh"])
def test_the_scripts_are_clean(name: str) -> None:
    done = subprocess.run(
        ["shellcheck", "--shell=bash", name], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
