"""Pictures of definitions and executions, as answers.

Used by the controllers of compositions and of their executions. SVG is served so that a page
may show it as an image and nothing in it can act.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import webob

from funcflow import errors, models
from funcflow.api import reply
from funcflow.api.request import Request
from funcflow.compositions import compile, draw, draw_svg, draw_timeline, source
from funcflow.compositions.draw_marks import marks
from funcflow.compositions.draw_visits import Outcome, Visit, visits
from funcflow.compositions.events import Event
from funcflow.db import composition_executions as executions
from funcflow.services import Services
from funcflow.states import CompositionState

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
#: How a child execution stands, as its Map's state in the picture.
_OUTCOMES: Final = {
    CompositionState.QUEUED: Outcome.RUNNING,
    CompositionState.RUNNING: Outcome.RUNNING,
    CompositionState.WAITING: Outcome.RUNNING,
    CompositionState.SUCCEEDED: Outcome.SUCCEEDED,
    CompositionState.FAILED: Outcome.FAILED,
    CompositionState.TIMED_OUT: Outcome.TIMED_OUT,
    CompositionState.ABORTED: Outcome.ABORTED,
    CompositionState.DEAD: Outcome.FAILED,
}


def definition(revision: models.CompositionRevision, name: str, form: str) -> webob.Response:
    """``form``: text (as it was sent), svg or mermaid."""
    if form == "text":
        return reply.text(revision.definition)
    parsed = compile.compile_definition(source.read(revision.definition).data, revision.type)
    if form == "mermaid":
        return reply.text(draw.mermaid(parsed))
    return _svg(draw_svg.svg(parsed, title=name))


def execution(services: Services, row: models.CompositionExecution, form: str) -> webob.Response:
    """The definition with how its states stand; ``form``: svg or mermaid."""
    parsed = services.definitions.get(row.composition_id, row.revision)
    found = visits(services.histories.events(row))
    shown = marks(found, _until(row), _runs(services, row, found))
    if form == "mermaid":
        return reply.text(draw.mermaid(parsed, shown))
    return _svg(draw_svg.svg(parsed, shown, title=_title(row)))


def timeline(
    services: Services, row: models.CompositionExecution, *, causes: bool
) -> webob.Response:
    """The execution over time; ``causes``: also why states failed, which may quote them."""
    events = services.histories.events(row)
    found = visits(events if causes else [_bare(event) for event in events])
    return _svg(draw_timeline.timeline(found, _until(row), _title(row)))


def _bare(event: Event) -> Event:
    if not getattr(event.details, "cause", None):
        return event
    details: Any = event.details
    return dataclasses.replace(event, details=dataclasses.replace(details, cause=""))


def form(request: Request, known: tuple[str, ...]) -> str:
    """The ``format`` asked for; the first one by default.

    :raises errors.BadRequest: none of those there are
    """
    asked = request.query.get("format", known[0])
    if asked not in known:
        raise errors.BadRequest(f"format is one of {', '.join(known)}", code="invalid_parameter")
    return asked


def _title(row: models.CompositionExecution) -> str:
    return f"Execution {row.name}"


def _until(row: models.CompositionExecution) -> float:
    return time.time() if row.finished_at is None else row.finished_at


def _runs(
    services: Services, row: models.CompositionExecution, found: Sequence[Visit]
) -> dict[str, Counter[Outcome]]:
    """How the child executions of its Map Runs stand."""
    runs: dict[str, Counter[Outcome]] = {}
    with services.database.read() as connection:
        for run in {visit.run for visit in found if visit.run is not None}:
            runs[run] = Counter()
            for state, count in executions.map_counts(connection, row.id, run).items():
                runs[run][_OUTCOMES[state]] += count
    return runs


def _svg(picture: str) -> webob.Response:
    headers = [("Content-Type", "image/svg+xml"), *_HEADERS.items()]
    body = picture.encode()
    headers.append(("Content-Length", str(len(body))))
    return webob.Response(status=200, headerlist=headers, app_iter=[body])
