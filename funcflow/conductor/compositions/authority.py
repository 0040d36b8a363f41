"""By whose rights a held execution reaches what its definition names.

Used by the performers. A definition names things of its own project, its *author*: functions,
compositions, activities, objects. Its author's rights count, also when an execution of it is
another project's, which has it shared: what the definition calls is a part of what is shared.

What is computed while it runs may come from whoever started it. They must not make the definition
reach, by its author's rights, for what they may not have themselves; nor must the author reach, by
theirs, for what is theirs. So what is computed must be allowed to both.
"""

from __future__ import annotations

from funcflow import models
from funcflow.compositions import failures, work
from funcflow.compositions.commands import ReadItems, RunTask, WriteResults
from funcflow.compositions.definition import Map
from funcflow.compositions.failures import Failure
from funcflow.conductor.compositions import base


def askers(held: base.Held, command: RunTask) -> tuple[models.RequestContext, ...]:
    """Who must be allowed to use what the task names. In the first one's project names are
    looked up."""
    author = context(held.row, held.author)
    if held.author == held.row.project_id:
        return (author,)
    state = held.definition.states[command.state]
    if work.said(state.source, command.resource, command.work):
        return (author,)
    return author, context(held.row, held.row.project_id)


def bucket_owner(held: base.Held, command: ReadItems | WriteResults) -> str:
    """The project whose objects are meant.

    :raises Failure: States.Permissions, they are computed and nobody shared them
    """
    if held.author == held.row.project_id:
        return held.author
    state = held.definition.states[command.state]
    assert isinstance(state, Map)
    place = "ItemReader" if isinstance(command, ReadItems) else "ResultWriter"
    if work.written(state.source.get(place)) == command.arguments:
        return held.author
    raise Failure(
        failures.PERMISSIONS,
        f"{place} of {command.state!r} computes where its objects are: shared with other "
        "projects, a composition reaches only those that it names",
    )


def context(row: models.CompositionExecution, project_id: str) -> models.RequestContext:
    """What is asked for an execution by the rights of a project."""
    return models.RequestContext(
        project_id=project_id,
        request_id=row.request_id or row.id,
        traceparent=row.traceparent,
    )
