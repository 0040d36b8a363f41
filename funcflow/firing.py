"""From an event to an execution: what a trigger does about an event.

Called by the API for events that are pushed, and by :mod:`funcflow.eventing` for those that are
fetched. An event is durable once its execution is: the execution is accepted under a key made of
the trigger and the event, so that whoever delivers the event again, after whatever crash, finds
it. Only then is the firing written down.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from oslo_config import cfg
from oslo_log import log as logging

from funcflow import (
    criteria,
    delegations,
    errors,
    events,
    ids,
    models,
    starts,
    submit,
    workflow_targets,
    workflows,
)
from funcflow import firing_records as records
from funcflow.compositions.failures import Failure
from funcflow.criteria.compile import scope_of
from funcflow.db import composition_revisions, firings, rates
from funcflow.db.engine import Database
from funcflow.events import Event, Firing, Trigger
from funcflow.trigger_identities import TriggerIdentities
from funcflow.triggers import base
from funcflow.trusts.base import TrustInvalid

LOG = logging.getLogger(__name__)

#: Compiled triggers that are remembered.
_KEPT: Final = 1000
#: Seconds a source waits that came at a bad time, when nobody says how long.
_PAUSE: Final = 1.0
#: What set a firing off long ago under the same key may be found this often.
_EARLIER: Final = 10


class TooDeep(errors.FuncflowError):
    """Executions set each other off, again and again."""

    code, status = "chain_too_deep", 508
    hint = "Break the circle: let the trigger's criteria leave out what its own target causes."


@dataclasses.dataclass(frozen=True, slots=True)
class Compiled:
    """The expressions of one trigger."""

    wanted: criteria.Criteria
    input: criteria.Template
    key: criteria.Key


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """What a trigger would do. ``input``: JSON text; ``problem``: why nothing would run."""

    verdicts: tuple[criteria.Verdict, ...]
    matched: bool
    input: str | None = None
    problem: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Judged:
    """What is done about an event. ``before``: it was done when the event came before."""

    firing: Firing
    #: The id of the firing that this one takes the place of.
    replaces: str | None = None
    before: bool = False


def compiled(trigger: Trigger) -> Compiled:
    """
    :raises funcflow.criteria.BadCriteria: the criteria or the dedup key cannot be used
    :raises funcflow.criteria.BadInput: the template of the input cannot be used
    """
    return Compiled(
        criteria.compile_criteria(trigger.criteria),
        criteria.compile_input(trigger.input),
        criteria.compile_key(trigger.dedup_key),
    )


class Firer:
    """Fires triggers. One per process; any thread may call."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        submitter: submit.Submitter,
        starter: starts.Starter,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._conf = conf
        self._database = database
        self._submitter = submitter
        self._starter = starter
        self._workflows = workflows.Workflows(conf)
        self._patience: float = conf.callbacks.max_age
        self._clock = clock
        #: What triggers are lent.
        self.identities = TriggerIdentities(conf, database, submitter.identities.trusts)
        self._lock = threading.Lock()
        self._compiled: dict[tuple[str, float | None], Compiled] = {}
        #: Firings by outcome, for metrics.
        self.counts: collections.Counter[str] = collections.Counter()

    def fire(self, trigger: Trigger, event: Event) -> Firing:
        """Do what the trigger says; the event is durable then.

        :raises funcflow.triggers.base.Busy: not now; nothing was done
        :raises funcflow.errors.Unavailable: it could not be made durable
        """
        now = self._clock()
        judged = self._judged(trigger, event, now)
        if judged.before:
            self.counts["duplicate"] += 1
            return judged.firing
        record = firings.Record(judged.firing, judged.replaces)
        if judged.firing.outcome == "unmatched":
            self._database.submit(record)  # Nothing depends on it.
        else:
            self._database.write(record)
        self.counts[judged.firing.outcome] += 1
        return judged.firing

    def skip(self, trigger: Trigger, event: Event, reason: str) -> None:
        """Write down that the trigger does nothing about an event."""
        now = self._clock()
        key = criteria.Key(None).digest(self._scope(trigger, event, now))
        firing = dataclasses.replace(
            records.made(trigger, event, key, now), outcome="skipped", reason=reason
        )
        self._database.write(firings.Record(firing))
        self.counts["skipped"] += 1

    def again(
        self, trigger: Trigger, firing: Firing, event: Event, *, fresh: bool = False
    ) -> Firing:
        """Another attempt at a firing whose target could not be started; ``fresh``: the first of
        as many as there may be. Errors as of :meth:`fire`."""
        now = self._clock()
        if fresh:
            firing = dataclasses.replace(firing, outcome="fired", attempts=1)
        after = self._started(trigger, event, firing, now)
        self._database.write(firings.Record(after, firing.id))
        self.counts[after.outcome] += 1
        return after

    def try_out(self, trigger: Trigger, event: Event) -> Trial:
        """What would happen; nothing does."""
        made = self._compile(trigger)
        now = self._clock()
        scope = self._scope(trigger, event, now)
        verdicts = tuple(made.wanted.verdicts(scope, now))
        if not all(verdict.matched for verdict in verdicts):
            return Trial(verdicts, False, problem="the criteria do not match")
        if event.depth >= self._conf.events.max_depth:
            return Trial(verdicts, True, problem="the chain of executions is too deep")
        try:
            text = made.input.text(scope)
            made.key.digest(scope)
            self._check_lent(trigger)
            if trigger.target.kind == "workflow":
                check = functools.partial(self._workflows.check, trigger.target.id)
                workflows.with_token(functools.partial(self._lent, trigger), check)
        except Failure as exc:
            return Trial(verdicts, True, problem=exc.cause)
        except errors.FuncflowError as exc:
            return Trial(verdicts, True, problem=exc.message)
        problem = None if trigger.enabled else "the trigger is disabled"
        return Trial(verdicts, True, text, problem)

    def asks(self, trigger: Trigger) -> tuple[delegations.Identity | None, str]:
        """As whom the target acts, and whose it is.

        :raises funcflow.errors.NotFound: there is no such target in the project
        """
        context = models.RequestContext(project_id=trigger.project_id, request_id="-")
        target = trigger.target
        if target.kind == "workflow":
            return None, trigger.project_id  # It is there as long as Mistral says so.
        if target.kind == "composition":
            run = self._starter.resolve(context, target.id, target.version, target.alias)
            with self._database.read() as connection:
                lent = composition_revisions.identity(connection, run.composition_id, run.revision)
            return lent, run.project_id
        alias = target.alias if target.kind == "alias" else None
        found = self._submitter.resolve(context, target.id or None, target.version, alias)
        return found.identity, found.project_id

    # -- steps ----------------------------------------------------------------------------

    def _judged(self, trigger: Trigger, event: Event, now: float) -> _Judged:
        made = self._compile(trigger)
        scope = self._scope(trigger, event, now)
        verdicts = made.wanted.verdicts(scope, now)
        matched = all(verdict.matched for verdict in verdicts)
        key, problem = criteria.Key(None).digest(scope), None
        if matched:
            try:
                key = made.key.digest(scope)
            except Failure as exc:
                problem = exc.cause
        with self._database.read() as connection:
            before = firings.find(connection, trigger.id, key)
        replaces = None if before is None else before.id
        firing = records.made(trigger, event, key, now)
        if not matched:
            if before is not None and before.outcome != "unmatched":
                return _Judged(before, before=True)
            no = dataclasses.replace(firing, outcome="unmatched", reason=records.why(verdicts))
            return _Judged(no, replaces)
        if before is not None and _same(trigger, before, now):
            return _Judged(before, before=True)
        if event.depth >= self._conf.events.max_depth:
            LOG.warning("Trigger %s: a chain of %d executions ends here", trigger.id, event.depth)
            reason = f"{TooDeep.code}: {event.depth} executions set each other off"
            return _Judged(dataclasses.replace(firing, outcome="refused", reason=reason), replaces)
        self._take_rate(trigger, now)
        if problem is not None:
            return _Judged(records.failed(trigger, firing, problem, event, forever=True), replaces)
        previous = before.id if before is not None and before.outcome == "fired" else "-"
        return _Judged(self._started(trigger, event, firing, now, previous), replaces)

    def _started(
        self, trigger: Trigger, event: Event, firing: Firing, now: float, previous: str = "-"
    ) -> Firing:
        """With the execution that was started, or found; or with why there is none."""
        firing = dataclasses.replace(firing, updated_at=now, retry_at=None)
        try:
            text = self._compile(trigger).input.text(self._scope(trigger, event, now))
            self._check_lent(trigger)
            for _ in range(_EARLIER):
                begun = self._start(trigger, text, f"{trigger.id}:{firing.key}:{previous}", firing)
                if begun.created_at >= firing.created_at - trigger.dedup_window - 1:
                    break
                previous = begun.id  # of long ago; it is over, and its firing forgotten
        except Failure as exc:
            return records.failed(trigger, firing, exc.cause, event, forever=True)
        except TrustInvalid as exc:
            self.identities.end(trigger, exc)
            return records.failed(
                trigger, firing, f"{exc.code}: {exc.message}", event, forever=True
            )
        except errors.TooMany as exc:
            raise base.Busy(exc.message, retry_after=exc.retry_after or _PAUSE) from exc
        except errors.Conflict as exc:
            if exc.code not in ("idempotency_mismatch", "execution_exists"):
                return records.failed(trigger, firing, f"{exc.code}: {exc.message}", event)
            reason = "the same event, or one with its key, was taken before with another input"
            return dataclasses.replace(firing, outcome="fired", reason=reason)
        except workflows.Away as exc:
            # It may be away for long, and not every source tells of an event again.
            over = now - firing.created_at > self._patience
            said = f"{exc.code}: {exc.message}"
            return records.failed(trigger, firing, said, event, forever=over, counts=False)
        except errors.FuncflowError as exc:
            if exc.status >= 500:
                raise
            return records.failed(trigger, firing, f"{exc.code}: {exc.message}", event)
        kind = "function" if trigger.target.kind == "alias" else trigger.target.kind
        return dataclasses.replace(
            firing, outcome="fired", execution_id=begun.id, kind=kind, reason=None, event=None
        )

    def _start(
        self, trigger: Trigger, text: str, key: str, firing: Firing
    ) -> models.Execution | models.CompositionExecution | workflow_targets.Begun:
        if trigger.target.kind == "workflow":
            lend = functools.partial(self._lent, trigger)
            return workflow_targets.start(self._workflows, trigger, firing, text, key, lend)
        context = models.RequestContext(
            project_id=trigger.project_id,
            roles=("member",),
            request_id=f"req-{firing.id}",
            traceparent=firing.traceparent,
        )
        target = trigger.target
        if target.kind == "composition":
            name = f"trigger-{ids.derived(0, key)}"
            start = starts.Start(
                composition=target.id,
                version=target.version,
                alias=target.alias,
                input=text,
                name=name,
            )
            return self._starter.start(context, start).execution
        call = submit.Call(
            function_id=target.id or None,
            function_alias=target.alias if target.kind == "alias" else None,
            function_version=target.version,
            input=text,
            sync=False,
            description=_DESCRIPTIONS[trigger.origin].format(trigger.id),
            idempotency_key=key,
            lent=trigger.identity,
        )
        return self._submitter.submit(context, call).execution

    def _check_lent(self, trigger: Trigger) -> None:
        """
        :raises TrustInvalid: it would run as somebody who does not lend that any more
        """
        self.identities.check(trigger, self.asks(trigger)[0])

    def _lent(self, trigger: Trigger, fresh: bool) -> workflows.Lent:
        """What its workflow runs with; None: it was lent nothing."""
        if trigger.identity is None:
            return None
        return self.identities.delegation(trigger, fresh, workflows.LASTING)

    def _take_rate(self, trigger: Trigger, now: float) -> None:
        if trigger.rate_limit is None:
            return
        wait = self._database.write(rates.Take(f"trigger {trigger.id}", trigger.rate_limit, now))
        if wait > 0:
            raise base.Busy(
                f"the trigger fired {trigger.rate_limit} times within a minute, as often as it may",
                retry_after=wait,
            )

    def _scope(self, trigger: Trigger, event: Event, now: float) -> Any:
        told = {"id": trigger.id, "name": trigger.name, "project_id": trigger.project_id}
        return scope_of(event.envelope(), told, now)

    def _compile(self, trigger: Trigger) -> Compiled:
        which = (trigger.id, trigger.updated_at)
        with self._lock:
            made = self._compiled.get(which)
        if made is None:
            made = compiled(trigger)
            with self._lock:
                if len(self._compiled) >= _KEPT:
                    self._compiled.clear()
                self._compiled[which] = made
        return made


#: By what the trigger was made as; lists of executions are filtered by them.
_DESCRIPTIONS: Mapping[str, str] = {
    "triggers": "Created by trigger {}",
    "jobs": "Created by job {}",
    "webhooks": "Created by webhook {}",
}


def _same(trigger: Trigger, before: Firing, now: float) -> bool:
    """Whether what happened before was this very event, and is done."""
    if before.outcome in ("unmatched", "retrying"):
        return before.outcome == "retrying"
    return now - before.created_at < trigger.dedup_window


def event_of(firing: Firing) -> Event | None:
    """The event a firing keeps; None: it was not kept."""
    return None if firing.event is None else events.from_envelope(json.loads(firing.event))
