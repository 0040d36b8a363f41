"""The Kubernetes API as plain JSON over the kept client's credentials and connections.

Used by the rest of this driver. Manifests and answers are plain data: the client's typed models
know one version of Kubernetes, and we speak to many.
"""

from __future__ import annotations

import contextlib
import json
import logging
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, cast

import urllib3
from kubernetes import client, config
from kubernetes.client import rest
from oslo_config import cfg

from funcflow import errors
from funcflow.sandboxes.kubernetes import tls

LOG = logging.getLogger(__name__)

Manifest = dict[str, Any]

#: Seconds one request may take: to connect, to answer.
CONNECT, ANSWER = 3.0, 15.0
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
#: Requests at the same time.
_CONNECTIONS = 32


class ApiError(Exception):
    """The API server refused, or did not answer.

    ``status``: of HTTP, 0 when nobody answered; ``reason``: Kubernetes' own word for it.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def unreachable(self) -> bool:
        """Trying again later may help, whatever was asked."""
        # Of a quota that was made a moment ago nobody has counted what is used.
        uncounted = self.status == 403 and "status unknown for quota" in self.message
        return self.status == 0 or self.status == 429 or self.status >= 500 or uncounted

    @property
    def quota(self) -> bool:
        return self.status == 403 and "exceeded quota" in self.message


class Api:
    """One cluster. Thread-safe."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises errors.ConfigError: nothing says how to reach the cluster"""
        self._configuration = _configuration(conf.kubernetes.kubeconfig)
        self._configuration.connection_pool_maxsize = _CONNECTIONS
        self._configuration.retries = False
        self._client = rest.RESTClientObject(self._configuration)
        self._http = self._client.pool_manager
        self._http.pool_classes_by_scheme = {**self._http.pool_classes_by_scheme, "https": tls.Pool}
        self._base = self._configuration.host.rstrip("/")
        self._watches: set[urllib3.BaseHTTPResponse] = set()

    def get(self, path: str, **query: str) -> Manifest:
        """:raises ApiError: as all of these"""
        return self._json("GET", path, query=query)

    def create(self, path: str, body: Manifest, **query: str) -> Manifest:
        return self._json("POST", path, body, query=query)

    def replace(self, path: str, body: Manifest) -> Manifest:
        return self._json("PUT", path, body)

    def patch(self, path: str, body: object, kind: str = MERGE_PATCH) -> Manifest:
        return self._json("PATCH", path, body, kind)

    def delete(self, path: str, body: Manifest | None = None) -> None:
        """What is gone already is no error."""
        try:
            self._json("DELETE", path, body)
        except ApiError as exc:
            if exc.status != 404:
                raise

    def watch(self, path: str, idle: float, **query: str) -> Iterator[Manifest]:
        """Events as they come, until the server ends the stream.

        ``idle``: seconds without any event or bookmark after which the connection counts as dead.

        :raises ApiError: it cannot be opened, or broke
        """
        timeout = urllib3.Timeout(connect=CONNECT, read=idle)
        response = self._send("GET", path, None, "", {**query, "watch": "true"}, timeout)
        self._watches.add(response)
        rest = b""
        try:
            for piece in response.stream(65536):
                lines = (rest + piece).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise ApiError(0, "Broken", f"a watch broke: {exc}") from exc
        finally:
            self._watches.discard(response)
            # Not released: the rest of the stream is nobody's.
            response.close()

    def close(self) -> None:
        """Watches end with an error."""
        for response in list(self._watches):
            with contextlib.suppress(ValueError, OSError):
                response.shutdown()
        self._http.clear()

    def _json(
        self,
        method: str,
        path: str,
        body: object = None,
        kind: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Manifest:
        timeout = urllib3.Timeout(connect=CONNECT, read=ANSWER)
        response = self._send(method, path, body, kind, query or {}, timeout)
        try:
            return cast(Manifest, json.loads(response.data))
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise ApiError(0, "Broken", f"an answer of the API server broke: {exc}") from exc

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        kind: str,
        query: Mapping[str, str],
        timeout: urllib3.Timeout,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": "funcflow"}
        token = self._configuration.auth_settings().get("BearerToken")
        if token:
            headers["Authorization"] = str(token["value"])
        data = None
        if body is not None:
            headers["Content-Type"] = kind
            data = json.dumps(body, separators=(",", ":")).encode()
        url = f"{self._base}{path}"
        if query:
            url += f"?{urllib.parse.urlencode(query)}"
        try:
            response = self._http.request(
                method, url, body=data, headers=headers, timeout=timeout,
                retries=False, preload_content=False,
            )  # fmt: skip
            if response.status >= 300:
                raise _refusal(response.status, response.data)
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise ApiError(0, "Unreachable", f"no answer from the API server: {exc}") from exc
        return response


def _refusal(status: int, body: bytes) -> ApiError:
    """What the server says; proxies in front of it may say anything."""
    try:
        told = json.loads(body)
        return ApiError(status, str(told["reason"]), str(told["message"]))
    except (ValueError, KeyError, TypeError):
        return ApiError(status, "Unknown", f"the API server answered {status}")


def _configuration(kubeconfig: str | None) -> client.Configuration:
    """:raises errors.ConfigError: there is none, or it cannot be understood"""
    found = client.Configuration()
    try:
        if kubeconfig is None:
            try:
                config.load_incluster_config(client_configuration=found)  # type: ignore[no-untyped-call]
                return found
            except config.ConfigException:
                pass  # Not in a pod.
        config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig, client_configuration=found
        )
    except (config.ConfigException, OSError) as exc:
        raise errors.ConfigError(
            f"the Kubernetes cluster is not known: {exc}",
            hint="Set [kubernetes] kubeconfig, or run with a service account.",
        ) from exc
    return found
