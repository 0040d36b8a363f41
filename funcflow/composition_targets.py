"""What a start of a composition means: from a name, a version or an alias to a revision.

Used by :mod:`funcflow.starts`, and by the conductor for compositions that start compositions.
"""

from __future__ import annotations

import dataclasses
import random

from funcflow import models
from funcflow.db import composition_aliases as aliases
from funcflow.db import composition_versions as versions
from funcflow.db import compositions
from funcflow.targets import Memory, split


@dataclasses.dataclass(frozen=True, slots=True)
class CompositionTarget:
    """A composition's revision, and the version number it was found under."""

    composition_id: str
    version: int
    revision: int
    type: models.CompositionType


class CompositionTargets(Memory):
    """Compositions."""

    def resolve(
        self,
        context: models.RequestContext,
        composition: str,
        version: int = models.LATEST,
        alias: str | None = None,
    ) -> CompositionTarget:
        """The revision to run.

        :param composition: id or name
        :param alias: one of the composition's; ``version`` is ignored then
        :raises funcflow.errors.NotFound: nothing of that name in the project
        """
        project_id = None if context.is_admin else context.project_id
        known = self._composition(project_id, context.project_id, composition)
        if alias is not None:
            found = self._alias(known.id, alias)
            version = split(found.weights, found.composition_version, random.random())
        if version == models.LATEST:
            return _target(known.revision, models.LATEST)
        return _target(self._version(known.id, version).revision, version)

    def _composition(
        self, project_id: str | None, own_project: str, ref: str
    ) -> models.Composition:
        def load() -> models.Composition:
            with self._database.read() as conn:
                return compositions.resolve(conn, ref, project_id, own_project)

        return self.remember(("composition", project_id, own_project, ref), load)

    def _alias(self, composition_id: str, name: str) -> models.CompositionAlias:
        def load() -> models.CompositionAlias:
            with self._database.read() as conn:
                return aliases.get(conn, composition_id, name)

        return self.remember(("alias", composition_id, name), load)

    def _version(self, composition_id: str, number: int) -> models.CompositionVersion:
        def load() -> models.CompositionVersion:
            with self._database.read() as conn:
                return versions.get(conn, composition_id, number)

        return self.remember(("version", composition_id, number), load)


def _target(revision: models.CompositionRevision, version: int) -> CompositionTarget:
    return CompositionTarget(revision.composition_id, version, revision.number, revision.type)
