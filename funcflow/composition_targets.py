"""What a start of a composition means: from a name, a version or an alias to a revision.

Used by :mod:`funcflow.starts`, and by the conductor for compositions that start compositions.
"""

from __future__ import annotations

import dataclasses
import random

from funcflow import errors, models, sharing
from funcflow.db import composition_aliases as aliases
from funcflow.db import composition_versions as versions
from funcflow.db import compositions
from funcflow.targets import Memory, check_still, split


@dataclasses.dataclass(frozen=True, slots=True)
class CompositionTarget:
    """A composition's revision, and the version number it was found under."""

    composition_id: str
    version: int
    revision: int
    type: models.CompositionType
    #: Whose it is.
    project_id: str


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

        :param composition: name in the project, or id
        :param alias: one of the composition's; ``version`` is ignored then
        :raises funcflow.errors.NotFound: nothing of that name in the project, or shared with it
        :raises funcflow.errors.Forbidden: it is shared, but not to execute this
        """
        known = self._composition(context.project_id, composition)
        if not context.is_admin and known.project_id != context.project_id:
            # Asked anew each time, so that taking a share back acts at once.
            with self._database.read() as conn:
                access = sharing.of(conn, context, "composition", known)
            access.check("execute", version=version, alias=alias)
        if alias is not None:
            found = self._alias(known.id, alias)
            version = split(found.weights, found.composition_version, random.random())
        if version == models.LATEST:
            return _target(known.revision, models.LATEST)
        return _target(self._version(known.id, version).revision, version)

    def check(self, context: models.RequestContext, execution: models.CompositionExecution) -> None:
        """Whether its project may still run what the execution runs.

        :raises funcflow.errors.Forbidden: it was shared once, and is no longer
        """
        if context.is_admin or not execution.borrowed:
            return
        try:
            known = self._composition(context.project_id, execution.composition_id)
        except errors.NotFound:
            return  # Deleted meanwhile: what was accepted runs to its end.
        with self._database.read() as conn:
            check_still(conn, "composition", known.id, execution.project_id)

    def _composition(self, own_project: str, ref: str) -> models.Composition:
        """By a name in the own project, or by id, whosever it is."""

        def load() -> models.Composition:
            with self._database.read() as conn:
                return compositions.resolve(conn, ref, None, own_project)

        return self.remember(("composition", own_project, ref), load)

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
    return CompositionTarget(
        revision.composition_id, version, revision.number, revision.type, revision.project_id
    )
