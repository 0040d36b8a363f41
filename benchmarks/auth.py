"""What it costs to ask who comes and whether they may: per request, beside no authentication.

    python -m benchmarks.auth [--count 5000]

Keystone is real; the submitter is a stand-in that answers at once. *Warm* is a token that was
seen before, which is what nearly every request has; *cold* is one that Keystone is asked about.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from oslo_config import cfg

from benchmarks import api
from funcflow import conf as config
from funcflow import models, submit
from funcflow.auth import guard, headers
from funcflow.auth.keystone import driver
from funcflow.db import schema
from funcflow.db.engine import Database
from funcflow.trusts import book
from tests.api import doubles
from tools.services import identities, keystone, process

_CONFIG = """\
[api]
auth = keystone
[keystone_authtoken]
auth_url = {url}
www_authenticate_uri = {url}
auth_type = password
username = {user.name}
password = {user.password}
project_name = service
user_domain_id = default
project_domain_id = default
"""
RULE = "executions:create"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.auth", description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    count = parser.parse_args(arguments).count
    with process.workspace() as folder:
        server = keystone.Server(folder / "keystone")
        try:
            server.start()
            with identities.Cloud(server.url) as cloud:
                measure(cloud, folder, count)
        finally:
            server.stop()


def measure(cloud: identities.Cloud, folder: Path, count: int) -> None:
    service = cloud.user("funcflow")
    cloud.grant(service, "service", "admin", project=cloud.project("service"))
    file = folder / "funcflow.conf"
    file.write_text(_CONFIG.format(url=cloud.auth_url, user=service))
    conf = config.load([file])
    auth, rules = driver.KeystoneAuth(conf), guard.Guard(conf)
    project, user = cloud.project("team"), cloud.user("ann")
    cloud.grant(user, "member", project=project)
    tokens = [cloud.token(user, project_id=project) for _ in range(20)]

    def ask(token: str) -> str:
        asker = auth.context({"REQUEST_METHOD": "POST", headers.TOKEN: token}, "req-1")
        rules.check(RULE, asker)
        return asker.project_id

    cold = [_timed(lambda token=token: ask(token)) for token in tokens]  # type: ignore[misc]
    show("auth and policy, cold", cold)
    warm = [_timed(lambda: ask(tokens[0])) for _ in range(count)]
    show("auth and policy, warm", warm)
    cost = api.cost(lambda: ask(tokens[0]), count)
    print(f"{'auth and policy, warm':28} {cost * 1e6:8.1f} us CPU")
    plain = request_cost(count, None, {})
    guarded = request_cost(count, auth, {headers.TOKEN: tokens[0]})
    print(f"{'POST /v1/executions, none':28} {plain * 1e6:8.1f} us CPU")
    print(f"{'POST /v1/executions, keystone':28} {guarded * 1e6:7.1f} us CPU")
    lend(cloud, conf, folder, user, project, count)
    met = "met" if statistics.median(warm) <= 0.5e-3 else "missed"
    print(f"aim: warm p50 at most 500 us: {met}")


def lend(
    cloud: identities.Cloud,
    conf: cfg.ConfigOpts,
    folder: Path,
    user: identities.User,
    project: str,
    count: int,
) -> None:
    """What it costs to lend a function its owner's or its caller's identity."""
    url = f"sqlite:///{folder}/trusts.db"
    schema.upgrade(url)
    database = Database(url)
    trusts = book.Trusts(conf, database)
    ann = models.RequestContext(
        project_id=project, user_id=user.id, roles=("member",), request_id="r",
        auth_token=cloud.token(user, project_id=project),
    )  # fmt: skip
    made = [trusts.make(ann, ["member"]) for _ in range(20)]
    show("token of a trust, cold", [_timed(lambda t=t: trusts.token(t)) for t in made])  # type: ignore[misc]
    cost = api.cost(lambda: trusts.token(made[0], 60.0).user_id, 20 * count)
    print(f"{'token of a trust, warm':28} {cost * 1e6:8.1f} us CPU")
    cost = api.cost(lambda: trusts.of_caller(ann, ("member",)), 20 * count)
    print(f"{'a caller lends again':28} {cost * 1e6:8.1f} us CPU")
    trusts.close()
    database.close()


def request_cost(count: int, auth: Any, more: dict[str, str]) -> float:
    """Seconds of processor time of a whole request in the application, without a server."""
    with tempfile.TemporaryDirectory(prefix="funcflow-bench-") as folder:
        parts = doubles.parts(folder, auth=auth)
        try:
            done = api.execution()
            parts.submitter.given = submit.Submitted(done, True)
            body = {"function_id": done.function_id, "input": '{"a": 1}', "sync": True}
            return api.cost(api.request(parts, "POST", "/v1/executions", body, more), count)
        finally:
            parts.database.close()


def show(name: str, seconds: list[float]) -> None:
    p99 = sorted(seconds)[int(len(seconds) * 0.99)]
    print(f"{name:28} p50 {statistics.median(seconds) * 1e6:8.1f} us  p99 {p99 * 1e6:8.1f} us")


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
