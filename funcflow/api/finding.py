"""The composition or execution that a path means, if the asker may see it.

Used by the controllers of compositions. In the path of an execution ``-`` stands for whatever
composition it is of, so that its id is enough.
"""

from __future__ import annotations

from typing import Final

from funcflow import errors, ids, models
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.db import composition_executions, compositions
from funcflow.services import Services

ANY: Final = "-"


def composition(services: Services, request: Request, reference: str) -> models.Composition:
    """By id or name.

    :raises errors.NotFound: none, or of another project
    """
    asker = request.asker
    with services.database.read() as connection:
        return compositions.resolve(connection, reference, _project(request), asker.project_id)


def execution(
    services: Services, request: Request, reference: str, execution_id: str
) -> models.CompositionExecution:
    """The execution of that id, if it is one of the composition ``reference``.

    :raises errors.BadRequest: not an id
    :raises errors.NotFound: none, or of another project or composition
    """
    checked = common.checked_id(execution_id)
    with services.database.read() as connection:
        found = composition_executions.get(connection, checked, _project(request))
    # An execution may outlive its composition, whose id still leads to it.
    if reference == ANY or reference.lower() == found.composition_id:
        return found
    if ids.is_id(reference) or (
        composition(services, request, reference).id != found.composition_id
    ):
        raise errors.NotFound(f"composition {reference!r} has no execution {checked}")
    return found


def _project(request: Request) -> str | None:
    return None if request.asker.is_admin else request.asker.project_id
