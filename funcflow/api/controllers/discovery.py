"""``/`` and ``/v1``: which API versions there are, and where.

Readable without knowing anything; OpenStack clients start here.
"""

from __future__ import annotations

import webob

from funcflow.api import reply
from funcflow.api.operations import PUBLIC, operation, resource
from funcflow.api.request import Request
from funcflow.api.schemas import common

_LINK = common.shape({"href": common.STRING, "target": common.STRING, "rel": common.STRING}, "Link")
_VERSION = common.shape(
    {
        "id": common.STRING,
        "status": common.STRING,
        "links": {"type": "array", "items": _LINK},
    },
    "ApiVersion",
)
_VERSIONS = common.shape({"versions": {"type": "array", "items": _VERSION}}, "ApiVersions")
_URI = common.shape({"uri": common.STRING}, "ApiRoot")


class Versions:
    """``/``"""

    index = resource()

    @operation(
        index, "GET", "discovery.versions", "The API's versions", {200: _VERSIONS}, policy=PUBLIC,
    )  # fmt: skip
    def versions(self, request: Request) -> webob.Response:
        link = {"href": f"{request.host_url}/v1", "target": "v1", "rel": "self"}
        return reply.answer({"versions": [{"id": "v1.0", "status": "CURRENT", "links": [link]}]})


class Version:
    """``/v1``"""

    index = resource()

    @operation(
        index, "GET", "discovery.version", "Where this version is", {200: _URI}, policy=PUBLIC,
    )  # fmt: skip
    def show(self, request: Request) -> webob.Response:
        return reply.answer({"uri": f"{request.host_url}/v1"})
