"""Plain pods for comparison: an HTTP server in a pod, called directly and in Qinling's way.

Used by :mod:`benchmarks.kubernetes`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import time
from collections.abc import Callable, Iterator

from benchmarks import measure
from benchmarks.embedded import BODY, SOURCE
from tools.services.kubernetes import Cluster

#: Answers each POST with what the function makes of it, over kept connections.
SERVER = (
    SOURCE
    + """
import http.server, json, socketserver

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        event = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(main(**event)).encode()
        head = b"HTTP/1.1 201 Created\\r\\nContent-Length: %d\\r\\n\\r\\n"
        self.wfile.write(head % len(body) + body)

    def log_message(self, *_):
        pass

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

Server(("0.0.0.0", 8000), Handler).serve_forever()
"""
)
PORT = 8000


class Pod:
    """One pod with the server, and a Service in front of it."""

    def __init__(self, cluster: Cluster, namespace: str, image: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        labels = {"app": "direct"}
        container = {
            "name": "server",
            "image": image,
            "imagePullPolicy": "IfNotPresent",
            "command": ["/usr/bin/python3", "-c", SERVER],
            "resources": {"requests": {"cpu": "10m"}},
            "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        }
        things = [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": "direct", "namespace": namespace, "labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 0},
            },
            {
                "apiVersion": "v1", "kind": "Service",
                "metadata": {"name": "direct", "namespace": namespace},
                "spec": {"selector": labels, "ports": [{"port": PORT}]},
            },
        ]  # fmt: skip
        whole = {"apiVersion": "v1", "kind": "List", "items": things}
        cluster.kubectl("apply", "-f", "-", input=json.dumps(whole))
        cluster.kubectl(
            "wait", "pod", "direct", "-n", namespace, "--for=condition=Ready", "--timeout=60s"
        )
        self.address = self._read("pod", "{.status.podIP}")
        self.service = self._read("service", "{.spec.clusterIP}")

    def _read(self, kind: str, path: str) -> str:
        where = [kind, "direct", "-n", self._namespace]
        return self._cluster.kubectl("get", *where, "-o", f"jsonpath={path}")

    def remove(self) -> None:
        self._cluster.kubectl("delete", "namespace", self._namespace, "--wait=false")


@contextlib.contextmanager
def pod(cluster: Cluster, namespace: str, image: str) -> Iterator[Pod]:
    made = Pod(cluster, namespace, image)
    try:
        yield made
    finally:
        made.remove()


def post(address: str, connection: http.client.HTTPConnection | None = None) -> None:
    """One call; without a connection over one of its own."""
    used = connection or http.client.HTTPConnection(address, PORT, timeout=10)
    used.request("POST", "/", json.dumps(BODY["input"]), {"Content-Type": "application/json"})
    answer = used.getresponse()
    answer.read()
    if answer.status != 201:
        raise RuntimeError(f"{answer.status}")
    if connection is None:
        used.close()


def direct(where: Pod, count: int) -> measure.Figures:
    """Over one kept connection to the pod itself."""
    connection = http.client.HTTPConnection(where.address, PORT, timeout=10)
    times = _timed(lambda: post(where.address, connection), count)
    connection.close()
    return figures("direct HTTP to the pod", times)


def qinling(where: Pod, count: int, look: Callable[[], object]) -> measure.Figures:
    """Its engine looks up where the function is, takes a lock there and gives it back (three
    requests to its store, here to the API server's), and opens a connection to a Service. Its
    message queue and its rows are not counted.

    ``look``: makes one such request.
    """

    def one() -> None:
        for _ in range(3):
            look()
        post(where.service)

    times = _timed(one, count)
    return figures("Qinling's way (without queue and rows)", times)


def figures(name: str, times: list[float]) -> measure.Figures:
    """One after the other; the cluster's processor time is not counted."""
    return dataclasses.replace(measure.figures(name, times, sum(times), 0.0), cpu=None)


def _timed(call: Callable[[], object], count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return times
