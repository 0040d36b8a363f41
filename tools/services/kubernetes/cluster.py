"""The cluster tests run on: ours, which is built, started, broken and ended here, or a given
one."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.services.process import ServiceError

LOG = logging.getLogger(__name__)
HOME = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "funcflow" / "kubernetes"
#: What can be killed and comes back with ``start``.
DAEMONS = (
    "etcd",
    "containerd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "policies",
    "dns",
)
#: The handler of containerd that a RuntimeClass may name beside the default one.
HANDLER = "other"
_NODE = Path(__file__).parent / "node"
#: What names of images begin with on a node of ours, which has no registry.
REGISTRY = "registry.local/funcflow"


class Cluster:
    """A node of our own below ``home``, where everything it needs is kept. Needs root.

    The first start builds Kubernetes and takes minutes; later ones take 10 to 20 s. It outlives
    this process: whoever comes next finds it running, ``stop`` ends it.
    """

    is_ours = True
    registry = REGISTRY

    def __init__(self, home: Path = HOME) -> None:
        self.home = home
        self.kubeconfig = home / "pki" / "admin.conf"

    def start(self) -> None:
        """Start what does not run, and wait until pods can be made.

        :raises ServiceError: it does not come up; with the end of what was said
        """
        self.home.mkdir(parents=True, exist_ok=True)
        log = self.home / "up.log"
        with self._alone(), log.open("wb") as output:
            process = subprocess.Popen(
                [str(_NODE / "up.sh")],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            assert process.stdout is not None
            with process:
                for line in process.stdout:
                    output.write(line)
                    output.flush()
                    # The first start takes minutes: say what it does.
                    print(f"kubernetes: {line.decode().rstrip()}", file=sys.stderr, flush=True)
        if process.returncode:
            raise ServiceError(f"Kubernetes does not start:\n{log.read_text()[-4000:]}")

    def stop(self) -> None:
        """End it and remove its state; what was built stays."""
        with self._alone():
            subprocess.run(
                [str(_NODE / "down.sh")], env=self._environment(), check=True, capture_output=True
            )

    @property
    def ready(self) -> bool:
        """Whether the API server answers and the node can take pods."""
        if self._pid("holder") is None:
            return False
        with contextlib.suppress(subprocess.SubprocessError, ValueError, KeyError):
            node = json.loads(self.kubectl("get", "node", "node1", "-o", "json", timeout=30))
            return any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in node["status"]["conditions"]
            )
        return False

    def kubectl(self, *arguments: str, input: str | None = None, timeout: float = 60) -> str:
        """What it prints.

        :raises subprocess.CalledProcessError: it failed; ``stderr`` says why
        """
        return subprocess.run(
            [str(self.home / "bin" / "kubectl"), *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=input,
            timeout=timeout,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def load(self, archive: Path) -> None:
        """Put an image archive (OCI or of ``docker save``) on the node."""
        socket = self.home / "run" / "containerd.sock"
        ctr = [str(self.home / "debian/usr/bin/ctr"), "--address", str(socket)]
        command = [*ctr, "--namespace", "k8s.io", "images", "import", str(archive)]
        subprocess.run(self.inside(command), check=True, capture_output=True)

    def provide(self, archive: Path, name: str) -> str:
        """Have the image of an archive, unless this very one is there; its name on the node."""
        mark = self.home / "run" / f"{name.replace('/', '_')}.loaded"
        if not mark.exists() or mark.read_text() != archive.name:
            self.load(archive)
            mark.write_text(archive.name)
        return name

    def pull_from(self, address: str) -> None:
        """Let the node fetch images from a registry without TLS, ``host:port``."""
        folder = self.home / "conf" / "certs.d" / address
        folder.mkdir(parents=True, exist_ok=True)
        place = f"http://{address}"
        text = f'server = "{place}"\n[host."{place}"]\n  capabilities = ["pull", "resolve"]\n'
        (folder / "hosts.toml").write_text(text)

    def inside(self, command: list[str]) -> list[str]:
        """The command as it runs in the node's network and mounts."""
        holder = self._pid("holder")
        if holder is None:
            raise ServiceError("the cluster does not run")
        return ["nsenter", "--target", str(holder), "--mount", "--net", "--", *command]

    def kill(self, daemon: str) -> None:
        """End a daemon at once; ``start`` brings it back, running pods stay."""
        self._signal(daemon, signal.SIGKILL)

    def pause(self, daemon: str) -> None:
        """Stop a daemon from running until ``resume``."""
        self._signal(daemon, signal.SIGSTOP)

    def resume(self, daemon: str) -> None:
        self._signal(daemon, signal.SIGCONT)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Have it running for a while; who leaves last ends it, if it was started by one of us.

        ``FUNCFLOW_KEEP_CLUSTER`` keeps it for the next time.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        ours = self.home / "ours"
        with (self.home / "users").open("w") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            if not self.ready:
                ours.touch()
            self.start()
            try:
                yield
            finally:
                if ours.exists() and not os.environ.get("FUNCFLOW_KEEP_CLUSTER"):
                    self._leave(users, ours)

    def _leave(self, users: Any, ours: Path) -> None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        ours.unlink(missing_ok=True)
        self.stop()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "HOME_DIR": str(self.home), "PYTHON": sys.executable}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _signal(self, daemon: str, number: int) -> None:
        if daemon not in DAEMONS:
            raise ValueError(daemon)
        pid = self._pid(daemon)
        if pid is None:
            raise ServiceError(f"{daemon} does not run")
        os.kill(pid, number)

    def _pid(self, name: str) -> int | None:
        """Of a process that is alive and the one that was started."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid, since = (self.home / "run" / f"{name}.pid").read_text().split()
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if stat[0] != "Z" and stat[19] == since:
                return int(pid)
        return None


class GivenCluster(Cluster):
    """The cluster of ``KUBECONFIG``: used as it is. Images come from ``FUNCFLOW_TEST_REGISTRY``."""

    is_ours = False

    def __init__(self, kubeconfig: Path) -> None:
        super().__init__()
        self.kubeconfig = kubeconfig

    @functools.cached_property
    def registry(self) -> str:  # type: ignore[override]
        given = os.environ.get("FUNCFLOW_TEST_REGISTRY")
        if not given:
            raise ServiceError("set FUNCFLOW_TEST_REGISTRY to where the cluster finds our images")
        return given

    def start(self) -> None:
        """:raises ServiceError: it does not answer"""
        try:
            self.kubectl("get", "--raw", "/readyz", timeout=30)
        except subprocess.SubprocessError as exc:
            raise ServiceError(f"the cluster of {self.kubeconfig} does not answer: {exc}") from exc

    def stop(self) -> None:
        """Nothing: it is somebody else's."""

    @property
    def ready(self) -> bool:
        with contextlib.suppress(ServiceError):
            self.start()
            return True
        return False

    def kubectl(self, *arguments: str, input: str | None = None, timeout: float = 60) -> str:
        return subprocess.run(
            ["kubectl", *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=input,
            timeout=timeout,
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def load(self, archive: Path) -> None:
        """Nothing: it pulls from its registry."""

    def provide(self, archive: Path, name: str) -> str:
        """Its name there: somebody pushed it."""
        return f"{self.registry}/{name.rpartition('/')[2]}"

    def inside(self, command: list[str]) -> list[str]:
        raise ServiceError("the node is not ours")

    def _signal(self, daemon: str, number: int) -> None:
        raise ServiceError("the node is not ours to break")

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        self.start()
        yield


def find() -> Cluster | None:
    """Ours where we are root on a Debian, else that of ``KUBECONFIG``, else none; the log says."""
    if os.getuid() == 0 and shutil.which("apt-get"):
        LOG.info("tests use a Kubernetes node of their own below %s", HOME)
        return Cluster()
    given = os.environ.get("KUBECONFIG")
    if given:
        LOG.warning("not root, so tests use the cluster of KUBECONFIG=%s", given)
        return GivenCluster(Path(given))
    return None
