"""Everything that carries out commands other than functions, made out of the configuration.

Built by the conductor's assembly. Names are those of :func:`base.performer_of`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from oslo_config import cfg

from funcflow import http_tasks, offload, plugins, queues
from funcflow.composition_targets import CompositionTargets
from funcflow.compositions.commands import Request, RunTask
from funcflow.compositions.resources import Kind
from funcflow.compositions.work import CallHttp
from funcflow.conductor.compositions import base
from funcflow.conductor.compositions.background import Background
from funcflow.conductor.compositions.children import Children
from funcflow.conductor.compositions.nested import Nested
from funcflow.conductor.compositions.objects import Objects
from funcflow.conductor.compositions.offspring import Offspring
from funcflow.conductor.compositions.people import People
from funcflow.conductor.compositions.services import Services
from funcflow.conductor.compositions.waiters import Waiters
from funcflow.conductor.compositions.workflows import Workflows
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from taskflow_flows import invocation as inv

#: Calls and transfers at once.
CALLS: Final = 64
TRANSFERS: Final = 8


def build(
    conf: cfg.ConfigOpts,
    database: Database,
    board: board_base.Board,
    launcher: base.Launcher,
    texts: offload.Offload,
    targets: CompositionTargets,
    clock: Callable[[], float],
    wake_workflows: Callable[[], None],
    trusts: inv.Trusts | None = None,
) -> Mapping[str, base.Performer]:
    """By name.

    :param wake_workflows: called when a workflow is to be started or stopped
    :raises funcflow.errors.ConfigError: networks, certificates or buckets are not as they must be
    """
    options = conf.compositions
    full = queues.Queues(conf, database, "composition")
    offspring = Offspring(database, launcher, texts, clock, board.shard_of, full, options.max_depth)
    buckets = plugins.load("funcflow.buckets", options.buckets)(conf)
    client, bounds = http_tasks.client_of(conf), http_tasks.bounds_of(conf)

    def call(held: base.Held, command: Request) -> http_tasks.HttpWork:
        assert isinstance(command, RunTask)
        assert isinstance(command.work, CallHttp)
        return http_tasks.HttpWork(client, command.work, bounds)

    objects = Background(
        Objects(buckets, database, options.items_limit, trusts), Waiters("objects", TRANSFERS)
    )
    people = People(database)
    return {
        Kind.COMPOSITION.value: Nested(offspring, targets),
        Kind.HTTP.value: Background(call, Waiters("http", CALLS)),
        Kind.APPROVAL.value: people,
        Kind.ACTIVITY.value: people,
        Kind.WORKFLOW.value: Workflows(database, wake_workflows),
        Kind.SERVICE.value: Services(),
        base.CHILD: Children(offspring),
        base.READER: objects,
        base.WRITER: objects,
    }
