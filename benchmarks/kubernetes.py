"""``python -m benchmarks.kubernetes``: functions in pods, on the real node the tests use.

One run: an HTTP server in a pod called directly, Qinling's way to it, funcflow's warm path, and
cold starts from a warm pool and without one. Aims stand beside the figures.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from benchmarks import embedded, measure, pods
from benchmarks import http as load
from funcflow import conf
from funcflow.sandboxes.kubernetes.api import Api
from tools.images import build
from tools.services import kubernetes
from tools.services.process import ServiceError

#: Warm pods in the measurement of cold starts from the pool.
POOL = 12


class Bench:
    """The cluster, and one installation after the other in it."""

    def __init__(self, cluster: kubernetes.Cluster, images: Mapping[str, str]) -> None:
        self.cluster = cluster
        self.images = images
        self.name = f"bench-{uuid.uuid4().hex[:6]}"

    @contextlib.contextmanager
    def server(self, name: str, **options: object) -> Iterator[embedded.Embedded]:
        """``funcflow up`` whose functions run in pods."""
        installation = f"{self.name}-{name}"
        settings = {
            "kubeconfig": self.cluster.kubeconfig,
            "installation": installation,
            "namespace": installation,
            "images": f"python3:{self.images['python3']}",
            "conductor_networks": "0.0.0.0/0",
            "overcommit": 200,
            **options,
        }
        lines = [f"{key} = {value}" for key, value in settings.items()]
        text = "\n".join(["[sandbox]", "driver = kubernetes", "max_starting = 10", "[kubernetes]"])
        try:
            with embedded.embedded("\n".join([text, *lines]) + "\n") as server:
                yield server
        finally:
            selector = f"funcflow.openstack.org/installation={installation}"
            # The node is busy with the old pods; what is measured next is not to wait for that.
            self.cluster.kubectl("delete", "namespace", "-l", selector, timeout=300)


def warm(bench: Bench, count: int) -> str:
    """Calls of a worker that is there."""
    with pods.pod(bench.cluster, f"{bench.name}-direct", bench.images["python3"]) as pod:
        pods.direct(pod, 50)
        floor = pods.direct(pod, count)
        api = Api(conf.load(kubernetes={"kubeconfig": str(bench.cluster.kubeconfig)}))
        where = f"/api/v1/namespaces/{bench.name}-direct/services/direct"
        peer = pods.qinling(pod, min(count, 300), lambda: api.get(where))
        api.close()
    with bench.server("warm") as server:
        embedded.deploy(server.url)
        load.post(f"{server.url}/v1/executions", max(64, count // 10), 16, embedded.BODY)
        rows = [
            embedded.calls("funcflow, x1", server.url, [server.pid], count, 1),
            embedded.calls("funcflow, x16", server.url, [server.pid], count * 2, 16),
        ]
    added = []
    for what, aim in (("p50", 6), ("p99", 25)):
        more = (getattr(rows[0], what) - getattr(floor, what)) * 1e3
        added.append(f"{what}: {more:.2f} ms added (aim {aim} ms)")
    lines = [*added, f"{rows[1].rate:.0f} calls/s with 16 clients (aim 300)"]
    return "\n".join([measure.table("Warm calls into a pod", [floor, peer, *rows], floor), *lines])


def cold(bench: Bench, count: int) -> str:
    """First calls of functions: from the pool one after the other and many at once, and without."""
    with bench.server("pool", pool_min=POOL, pool_max=POOL) as server:
        for number in range(count + POOL + 1):
            embedded.deploy(server.url, f"cold{number}")
        embedded.call_cold(server.url, f"cold{count}")  # The pool is made for the first one.
        pooled = []
        for number in range(count):
            until_warm(server.url, 1)
            pooled.append(embedded.call_cold(server.url, f"cold{number}"))
        until_warm(server.url, POOL)
        names = [f"cold{count + 1 + number}" for number in range(POOL)]
        began = time.perf_counter()
        with ThreadPoolExecutor(POOL) as hands:
            list(hands.map(lambda name: embedded.call_cold(server.url, name), names))
        burst = POOL / (time.perf_counter() - began)
    with bench.server("bare", pool_max=0) as server:
        for number in range(count):
            embedded.deploy(server.url, f"cold{number}")
        bare = [embedded.call_cold(server.url, f"cold{number}") for number in range(count)]
    rows = []
    for name, found in (("from the pool", pooled), ("without a pool", bare)):
        for what, column in (("start of the worker", 1), ("whole call", 0)):
            times = [each[column] for each in found]
            rows.append(pods.figures(f"{name}: {what}", times))
    lines = [
        f"p50 {(rows[0].p50 or 0) * 1e3:.0f} ms from the pool (aim 100 ms)",
        f"{POOL} functions specialised at once at {burst:.1f} a second (aim 10)",
    ]
    return "\n".join([measure.table("First calls", rows), *lines])


def until_warm(url: str, count: int) -> None:
    """Wait for that many ready pods in the pool.

    :raises ServiceError: they do not come
    """
    deadline = time.monotonic() + 120
    while embedded.metric(url, "funcflow_conductor_pods_warm") < count:
        if time.monotonic() > deadline:
            raise ServiceError("the pool does not fill")
        time.sleep(0.1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kubernetes", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="warm calls; cold starts: 1/50")
    arguments = parser.parse_args()
    cluster = kubernetes.find()
    if cluster is None:
        parser.error("needs root on Debian, or a cluster in KUBECONFIG")
    with cluster.shared():
        recipes = build.known()
        images = {
            name: cluster.provide(*build.build(recipes[name], recipes)) for name in ("python3",)
        }
        bench = Bench(cluster, images)
        print(warm(bench, arguments.count), flush=True)
        print(cold(bench, max(5, arguments.count // 50)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
