"""Swift from PyPI: account, container, object and proxy server, one replica in a plain folder.

The proxy asks a Keystone who comes; accounts are ``AUTH_<project id>``.
"""

from __future__ import annotations

import os
import pwd
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tools.services import identities, process, virtualenv

REQUIREMENTS = ("swift==2.38.3", "keystonemiddleware==13.0.1", "ceilometermiddleware==3.13.0")
USER = "swift"
SERVERS = ("account", "container", "object")

_COMMON = """\
[DEFAULT]
swift_dir = {folder}
bind_ip = {host}
bind_port = {port}
user = {user}
workers = 0
log_level = INFO
log_udp_host =
"""
_STORAGE = """\
devices = {folder}/node
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
recon_cache_path = {folder}/recon
[pipeline:main]
pipeline = healthcheck {name}-server
[app:{name}-server]
use = egg:swift#{name}
[filter:healthcheck]
use = egg:swift#healthcheck
"""
_PLAIN = (
    "catch_errors", "gatekeeper", "healthcheck", "listing_formats", "bulk", "tempurl", "formpost",
    "copy", "slo", "dlo", "versioned_writes", "symlink",
)  # fmt: skip
_PROXY = """\
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging listing_formats bulk tempurl \
formpost authtoken keystoneauth copy container-quotas account-quotas slo dlo \
versioned_writes symlink proxy-logging {last} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {auth_url}
auth_url = {auth_url}
auth_type = password
username = swift
password = swiftpw
project_name = service
user_domain_id = default
project_domain_id = default
delay_auth_decision = true
include_service_catalog = false
[filter:keystoneauth]
use = egg:swift#keystoneauth
reseller_prefix = AUTH
operator_roles = admin, swiftoperator, member
[filter:container-quotas]
use = egg:swift#container_quotas
[filter:account-quotas]
use = egg:swift#account_quotas
[filter:proxy-logging]
use = egg:swift#proxy_logging
"""
# Without a retry of none it stops the whole proxy while the broker is away.
_NOTIFY = """\
[oslo_messaging_notifications]
retry = 0
[oslo_messaging_rabbit]
kombu_reconnect_delay = 0
heartbeat_timeout_threshold = 0
"""
_TELLING = """\
[filter:ceilometer]
paste.filter_factory = ceilometermiddleware.swift:filter_factory
url = {broker}
driver = messagingv2
topic = notifications
control_exchange = {exchange}
nonblocking_notify = true
extra_config_files = {folder}/notify.conf
swift_conf_file = {folder}/swift.conf
"""
#: Where a Swift publishes that tells what it does.
EXCHANGE = "swift"


def install() -> Path:
    """The folder of its virtualenv."""
    return virtualenv.ensure("swift", REQUIREMENTS)


class _Daemon(process.Service):
    """One of the four server processes."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__(folder / kind)
        self.name = f"Swift's {kind} server"
        self.port = process.free_port()
        self._program = f"swift-{kind}-server"
        self._config = folder / f"{kind}-server.conf"

    def command(self) -> Sequence[str]:
        binaries = install() / "bin"
        program = [str(binaries / "python"), "-W", "ignore", str(binaries / self._program)]
        return [*program, str(self._config), "-v"]

    def answers(self) -> bool:
        url = f"http://{process.HOST}:{self.port}/healthcheck"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)


class Server:
    """The four of them.

    :param auth_url: a Keystone's, where Swift's user is made at the first start
    :param listed: whether it is the one in the catalog
    :param broker: AMQP URL of where it tells of requests; None: it tells nobody
    """

    def __init__(
        self, folder: Path, auth_url: str, *, listed: bool = True, broker: str | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.auth_url = auth_url
        self._listed = listed
        self._broker = broker
        self.proxy = _Daemon(folder, "proxy")
        self.storage = [_Daemon(folder, kind) for kind in SERVERS]

    @property
    def url(self) -> str:
        """Where the proxy answers; accounts are below ``/v1/``."""
        return f"http://{process.HOST}:{self.proxy.port}"

    def start(self) -> None:
        """Start all of them, and wait until they answer."""
        install()
        if not (self.folder / "swift.conf").exists():
            self._configure()
            self._register()
        for daemon in (*self.storage, self.proxy):
            daemon.launch()
        for daemon in (*self.storage, self.proxy):
            daemon.wait_ready()

    def stop(self) -> None:
        """End all of them. Idempotent."""
        for daemon in (self.proxy, *self.storage):
            daemon.stop()

    def kill(self) -> None:
        """End all of them at once, like a power cut. Idempotent."""
        for daemon in (self.proxy, *self.storage):
            daemon.kill()

    def _configure(self) -> None:
        for part in ("node/d1", "recon"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        _check_attributes(self.folder / "node")
        for daemon, name in zip(self.storage, SERVERS, strict=True):
            common = self._common(daemon.port)
            text = common + _STORAGE.format(folder=self.folder, name=name)
            (self.folder / f"{name}-server.conf").write_text(text)
            self._make_ring(name, daemon.port)
        filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in _PLAIN)
        last = "ceilometer" if self._broker else ""
        proxy = _PROXY.format(auth_url=self.auth_url, last=last)
        text = self._common(self.proxy.port) + proxy + filters + self._telling()
        (self.folder / "proxy-server.conf").write_text(text)
        # Written last: it says that the folder is complete.
        (self.folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_suffix = funcflow\nswift_hash_path_prefix = test\n"
            "[storage-policy:0]\nname = gold\ndefault = yes\n"
        )

    def _telling(self) -> str:
        if self._broker is None:
            return ""
        (self.folder / "notify.conf").write_text(_NOTIFY)
        url = self._broker.replace("amqp://", "rabbit://")
        return _TELLING.format(broker=url, exchange=EXCHANGE, folder=self.folder)

    def _common(self, port: int) -> str:
        user = pwd.getpwuid(os.getuid()).pw_name
        return _COMMON.format(folder=self.folder, host=process.HOST, port=port, user=user)

    def _make_ring(self, name: str, port: int) -> None:
        builder = str(self.folder / f"{name}.builder")
        for words in (
            ("create", "4", "1", "0"),
            ("add", f"r1z1-{process.HOST}:{port}/d1", "1"),
            ("rebalance",),
        ):
            binaries = install() / "bin"
            subprocess.run(
                [binaries / "python", "-W", "ignore", binaries / "swift-ring-builder",
                 builder, *words],
                cwd=self.folder, check=True, capture_output=True,
            )  # fmt: skip

    def _register(self) -> None:
        with identities.Cloud(self.auth_url) as cloud:
            user = cloud.user(USER)
            cloud.grant(user, "service", "admin", project=cloud.project("service"))
            if self._listed:
                cloud.service("swift", "object-store", f"{self.url}/v1/AUTH_%(project_id)s")


def _check_attributes(folder: Path) -> None:
    """Swift keeps metadata in extended attributes; some filesystems have none.

    :raises process.ServiceError: this one
    """
    probe = folder / "probe"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
    except OSError as exc:
        raise process.ServiceError(
            f"{folder} has no extended attributes, which Swift needs: set TMPDIR to a folder "
            "on ext4, xfs, btrfs, or tmpfs of Linux 6.6"
        ) from exc
    finally:
        probe.unlink()
