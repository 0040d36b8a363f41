"""One shard as a board of TaskFlow, for TaskFlow's conductors and tools.

Registered as ``funcflow-zookeeper`` under ``taskflow.jobboards``. Everything on it stays
readable by TaskFlow's own class; what that one does badly on a busy board is done anew.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any

from kazoo import exceptions as kazoo_errors
from kazoo.protocol import paths
from kazoo.protocol.states import KazooState
from oslo_config import cfg
from oslo_serialization import jsonutils
from oslo_utils import uuidutils
from taskflow import exceptions as taskflow_errors
from taskflow.jobs import base as taskflow_base
from taskflow.jobs.backends import impl_zookeeper
from taskflow.utils import kazoo_utils, misc

from funcflow.jobboards.zookeeper import client as zookeeper_client
from funcflow.jobboards.zookeeper import layout as zookeeper_layout

LOG = logging.getLogger(__name__)


PRIORITIES = list(taskflow_base.JobPriority)


class ZookeeperJob(impl_zookeeper.ZookeeperJob):  # type: ignore[misc]
    """Keeps its details to itself: they end up in logs otherwise. Sorts urgent jobs first,
    which TaskFlow's own sorts last."""

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, impl_zookeeper.ZookeeperJob):
            return NotImplemented
        return self._rank(self) < self._rank(other)

    @staticmethod
    def _rank(job: Any) -> tuple[str, int, int]:
        return job.root, PRIORITIES.index(job.priority), job.sequence

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.name} (uuid={self.uuid})"


class ZookeeperJobBoard(impl_zookeeper.ZookeeperJobBoard):  # type: ignore[misc]
    """``conf`` as TaskFlow's, ``path`` being that of one shard: ``/funcflow/s00/jobs``."""

    def __init__(self, name: str, conf: dict[str, Any], **options: Any) -> None:
        # The check asks by a four-letter word that servers refuse by default.
        super().__init__(name, {"check_compatible": False, **conf}, **options)
        # Beside the jobs, also where a folder further up has the same name.
        parent = paths.normpath(self._path).rpartition("/")[0]
        self._trash_path = paths.join(parent, self.TRASH_FOLDER)
        self._entity_path = paths.join(parent, self.ENTITY_FOLDER)
        self._entities: dict[str, Any] = {}
        self._lost = False

    @classmethod
    def for_shard(cls, conf: cfg.ConfigOpts, shard: int, **options: Any) -> ZookeeperJobBoard:
        """The board of a shard of the configured jobboard, with its credentials."""
        layout = zookeeper_layout.Layout(conf.jobboard.path, conf.jobboard.shards)
        board = cls(
            f"funcflow-{shard:02d}",
            {"path": layout.jobs(shard)},
            client=zookeeper_client.make(conf),
            **options,
        )
        board._owned = True  # closing the board closes the client
        return board

    def post(
        self,
        name: str,
        book: Any = None,
        details: dict[str, Any] | None = None,
        priority: Any = taskflow_base.JobPriority.NORMAL,
    ) -> ZookeeperJob:
        priority = taskflow_base.JobPriority.convert(priority)
        uuid = uuidutils.generate_uuid()
        posting = taskflow_base.format_posting(
            uuid, name, book=book, details=details, priority=priority
        )
        data = misc.binary_encode(jsonutils.dumps(posting))
        with self._wrap(uuid, None, fail_msg_tpl="Posting failure: %s", ensure_known=False):
            path = self._client.create(self._job_base, value=data, sequence=True)
        job = self._job(path, posting, book=book)
        self._learn(job)
        return job

    def _job(self, path: str, posting: dict[str, Any], **options: Any) -> ZookeeperJob:
        priority = posting.get("priority", taskflow_base.JobPriority.NORMAL)
        return ZookeeperJob(
            self,
            posting["name"],
            self._client,
            path,
            backend=self._persistence,
            uuid=posting["uuid"],
            book_data=posting.get("book"),
            details=posting.get("details", {}),
            priority=taskflow_base.JobPriority.convert(priority),
            **options,
        )

    def _learn(self, job: ZookeeperJob) -> None:
        with self._job_cond:
            if job.path in self._known_jobs:
                return
            self._known_jobs[job.path] = job
            self._job_cond.notify_all()
        self._try_emit(taskflow_base.POSTED, details={"job": job})

    def _process_child(self, path: str, request: Any, quiet: bool = True) -> None:
        try:
            data, stat = request.get()
            created_on = misc.millis_to_datetime(stat.ctime)
            job = self._job(path, misc.decode_json(data), created_on=created_on)
        except kazoo_errors.NoNodeError:
            LOG.debug("the job at %s is gone already", path)
        except (ValueError, TypeError, KeyError, kazoo_errors.KazooException) as exc:
            LOG.warning("cannot read the job at %s: %s", path, type(exc).__name__)
            if not quiet:
                raise
        else:
            self._learn(job)

    def _on_job_posting(self, children: list[str], delayed: bool = True) -> None:
        """Sets where TaskFlow searches lists for every job."""
        listed = {
            paths.join(self.path, child)
            for child in children
            if child.startswith(self.JOB_PREFIX) and not child.endswith(self.LOCK_POSTFIX)
        }
        with self._job_cond:
            gone = self._known_jobs.keys() - listed
            new = listed - self._known_jobs.keys()
        for path in gone:
            self._remove_job(path)
        if gone:
            with self._job_cond:
                self._job_cond.notify_all()
        for path in sorted(new):
            request = self._client.get_async(path)
            if delayed:
                request.rawlink(functools.partial(self._process_child, path))
            else:
                self._process_child(path, request, quiet=False)

    @taskflow_base.check_who  # type: ignore[untyped-decorator]
    def trash(self, job: ZookeeperJob, who: str) -> None:
        with self._wrap(job.uuid, job.path, fail_msg_tpl="Trash failure: %s"):
            lock, lock_stat, data, stat = self._get_owner_and_data(job)
            if lock.get("owner") != who:
                raise taskflow_errors.JobFailure(
                    f"Can not trash a job {job.uuid} which is not owned by {who}"
                )
            name = paths.basename(job.path)
            change = self._client.transaction()
            change.create(
                paths.join(self._trash_path, name), misc.binary_encode(jsonutils.dumps(data))
            )
            change.delete(job.lock_path, version=lock_stat.version)
            change.delete(job.path, version=stat.version)
            kazoo_utils.checked_commit(change)
            self._remove_job(job.path)

    def register_entity(self, entity: Any) -> None:
        super().register_entity(entity)
        self._entities[entity.name] = entity

    def _state_change_listener(self, state: KazooState) -> None:
        super()._state_change_listener(state)
        if state == KazooState.LOST:
            self._lost = True
        elif state == KazooState.CONNECTED and self._lost and not self._closing:
            # TaskFlow stays deaf after a lost session, and unregistered.
            self._lost = False
            self._connected = self._job_watcher is not None
            threading.Thread(target=self._register_again, daemon=True).start()

    def _register_again(self) -> None:
        for entity in list(self._entities.values()):
            try:
                super().register_entity(entity)
            except taskflow_errors.TaskFlowException as exc:
                LOG.warning("cannot register %s again: %s", entity.name, exc)
