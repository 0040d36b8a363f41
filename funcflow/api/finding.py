"""The composition or execution that a path means, if the asker may see it.

Used by the controllers of compositions. In the path of an execution ``-`` stands for whatever
composition it is of, so that its id is enough.
"""

from __future__ import annotations

from typing import Final

from funcflow import errors, ids, models, sharing
from funcflow.api.request import Request
from funcflow.api.schemas import common
from funcflow.db import composition_executions
from funcflow.services import Services

ANY: Final = "-"


def access(
    services: Services, request: Request, reference: str
) -> sharing.Access[models.Composition]:
    """The composition of that id or name, and what the asker may do with it.

    :raises errors.NotFound: none, or of another project and not shared
    """
    with services.database.read() as connection:
        return sharing.composition(connection, request.asker, reference)


def composition(services: Services, request: Request, reference: str) -> models.Composition:
    """The composition of that id or name, if it is the asker's own.

    :raises errors.NotFound: none, or of another project and not shared
    :raises errors.Forbidden: it is shared, but another project's
    """
    found = access(services, request, reference)
    found.check_own()
    return found.resource


def execution(
    services: Services, request: Request, reference: str, execution_id: str
) -> models.CompositionExecution:
    """The execution of that id, if it is one of the composition ``reference``.

    :raises errors.BadRequest: not an id
    :raises errors.NotFound: none, or of another project or composition
    """
    checked = common.checked_id(execution_id)
    project_id = None if request.asker.is_admin else request.asker.project_id
    with services.database.read() as connection:
        found = composition_executions.get(connection, checked, project_id)
    # An execution may outlive its composition, whose id still leads to it.
    if reference == ANY or reference.lower() == found.composition_id:
        return found
    if ids.is_id(reference) or (
        composition(services, request, reference).id != found.composition_id
    ):
        raise errors.NotFound(f"composition {reference!r} has no execution {checked}")
    return found


def may_read(services: Services, request: Request, found: models.CompositionExecution) -> bool:
    """Whether the asker may see what the execution runs."""
    with services.database.read() as connection:
        return sharing.may_read(connection, request.asker, found)
