"""``/v1/compositions/{id}/versions``: immutable states of a composition, by number."""

from __future__ import annotations

from funcflow.api import finding, lists
from funcflow.api.controllers import versioned
from funcflow.api.operations import EMPTY, exposed_child, operation, resource
from funcflow.api.schemas import composition_versions as schemas
from funcflow.db import composition_versions as versions

_KIND = versioned.Kind(
    find=finding.access,
    versions=versions.OF,
    view=schemas.view,
    brief=False,
    listing=lists.COMPOSITION_VERSIONS,
    key="composition_versions",
    topic="compositions",
    number="version",
)


class Versions(versioned.Collection):
    """The collection, below one composition."""

    _kind = _KIND
    index = resource()
    operation(
        index, "GET", "composition_versions.list", "List versions", {200: schemas.PAGE},
        query=lists.COMPOSITION_VERSIONS.query, errors=(404,),
    )(versioned.Collection.list)  # fmt: skip
    operation(
        index, "POST", "composition_versions.create",
        "Make a version of what the composition is now",
        {201: schemas.VERSION}, body=schemas.CREATE, errors=(404, 409),
    )(versioned.Collection.create)  # fmt: skip

    @exposed_child
    def _lookup(self, version: str, *rest: str) -> tuple[Version, tuple[str, ...]]:
        return Version(self._services, self._id, version), rest


class Version(versioned.One):
    """One version."""

    _kind = _KIND
    index = resource()
    operation(
        index, "GET", "composition_versions.show", "Show a version", {200: schemas.VERSION},
        errors=(404,),
    )(versioned.One.show)  # fmt: skip
    operation(
        index, "PATCH", "composition_versions.update", "Describe a version",
        {200: schemas.VERSION}, body=schemas.PATCH, errors=(404,),
    )(versioned.One.update)  # fmt: skip
    operation(
        index, "DELETE", "composition_versions.delete",
        "Delete a version that no alias points to", {204: EMPTY}, errors=(404,),
    )(versioned.One.delete)  # fmt: skip
