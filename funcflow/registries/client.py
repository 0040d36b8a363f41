"""One registry, asked for one repository: manifests and blobs, checked by their digests.

https://github.com/opencontainers/distribution-spec; tokens as
https://distribution.github.io/distribution/spec/auth/token. Used by :mod:`.lookup`.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from typing import Any, Final
from urllib.parse import urlencode

from funcflow.egress.client import Bounds, Client, Request, Response
from funcflow.registries.references import Reference

#: What a manifest may be: of one platform, or a list of such.
MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
#: Bytes of a manifest, a configuration or a token.
_MOST = 4 << 20
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
#: Codes by which a registry says that it knows the repository or version not to be.
_ABSENT: Final = {"MANIFEST_UNKNOWN", "NAME_UNKNOWN"}


class Unknown(Exception):
    """The registry did not tell; the text says why, and holds no secret."""


class Absent(Unknown):
    """The registry says that there is no such image."""


class Repository:
    """``basic``: name and password as HTTP's Basic has them; given to this registry and to the
    token server it names, to nobody else."""

    def __init__(
        self,
        client: Client,
        reference: Reference,
        *,
        deadline: float,
        basic: str | None = None,
        insecure: bool = False,
    ) -> None:
        """:param deadline: of everything that is asked, by the monotonic clock"""
        self._client = client
        self._reference = reference
        self._deadline = deadline
        self._basic = basic
        self._insecure = insecure
        scheme = "http" if insecure else "https"
        self._root = f"{scheme}://{reference.server}/v2/{reference.repository}"
        self._authorization: str | None = None

    def manifest(self, version: str) -> tuple[str, dict[str, Any]]:
        """Digest and content of a manifest or a list of manifests, by tag or digest.

        :raises Absent: there is none
        :raises Unknown: it did not tell
        """
        accept = ", ".join((*MANIFESTS, *INDEXES))
        answer = self._get(f"{self._root}/manifests/{version}", accept)
        digest = _digest(answer.body)
        if version.startswith("sha256:") and version != digest:
            raise Unknown("the registry sent another manifest than was asked for")
        return digest, _object(answer.body)

    def blob(self, digest: str) -> dict[str, Any]:
        """A blob that is a JSON object.

        :raises Unknown: it did not tell
        """
        answer = self._get(f"{self._root}/blobs/{digest}", "*/*")
        if _digest(answer.body) != digest:
            raise Unknown("the registry sent another blob than was asked for")
        return _object(answer.body)

    def _get(self, url: str, accept: str) -> Response:
        answer = self._ask(url, accept, self._authorization)
        if answer.status == 401 and self._authorization is None:
            self._authorization = self._log_in(answer.header("www-authenticate"))
            answer = self._ask(url, accept, self._authorization)
        if answer.status == 404 and _codes(answer.body) & _ABSENT:
            raise Absent(f"{self._reference.registry} has no such image")
        if answer.status in (401, 403):
            raise Unknown(f"{self._reference.registry} does not let us see the image")
        if answer.status != 200:
            raise Unknown(f"{self._reference.registry} answered {answer.status}")
        return answer

    def _log_in(self, challenge: str) -> str:
        """What to send as Authorization, for what the registry wants to see."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic" and self._basic:
            return f"Basic {self._basic}"
        wanted = {name: quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
        realm = wanted.get("realm", "")
        if kind.lower() != "bearer" or not realm:
            raise Unknown(f"{self._reference.registry} wants credentials")
        if not (realm.startswith("https://") or self._insecure):
            raise Unknown("the registry's token server does not speak TLS")
        query = {"scope": f"repository:{self._reference.repository}:pull"}
        if "service" in wanted:
            query["service"] = wanted["service"]
        url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}"
        answer = self._ask(url, "*/*", f"Basic {self._basic}" if self._basic else None)
        if answer.status != 200:
            raise Unknown(f"the token server of {self._reference.registry} refuses")
        told = _object(answer.body)
        token = told.get("token") or told.get("access_token")
        if not isinstance(token, str):
            raise Unknown(f"the token server of {self._reference.registry} gave no token")
        return f"Bearer {token}"

    def _ask(self, url: str, accept: str, authorization: str | None) -> Response:
        headers = [("Accept", accept), ("User-Agent", "funcflow")]
        if authorization is not None:
            headers.append(("Authorization", authorization))
        seconds = max(0.01, self._deadline - time.monotonic())
        call = self._client.call(
            Request("GET", url, tuple(headers)), Bounds(seconds=seconds, bytes=_MOST)
        )
        return call.run()


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unknown("the registry sent something that is no JSON object")
    return found


def _codes(body: bytes) -> set[str]:
    """Of an error, as the protocol has them."""
    try:
        return {str(error["code"]) for error in _object(body)["errors"]}
    except (Unknown, KeyError, TypeError):
        return set()
