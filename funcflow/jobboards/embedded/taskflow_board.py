"""The board's file as a board of TaskFlow, for TaskFlow's conductors and tools.

Registered as ``funcflow-embedded`` under ``taskflow.jobboards``. It shows one shard: jobs
that funcflow posted, and jobs posted through this class, which funcflow leaves alone.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_utils import timeutils, uuidutils
from taskflow import exceptions as taskflow_errors
from taskflow import states
from taskflow.jobs import base as taskflow_base

from funcflow import errors
from funcflow.jobboards import base, tickets
from funcflow.jobboards.embedded import file as board_file
from funcflow.jobboards.embedded import hub, sessions

LOG = logging.getLogger(__name__)

#: Seconds between looks for jobs that another process has posted.
POLL = 0.1
PRIORITIES = [priority.value for priority in taskflow_base.JobPriority]


class EmbeddedJob(taskflow_base.Job):  # type: ignore[misc]
    """A job and what is known of it; its state is looked up when asked for."""

    def __init__(self, board: EmbeddedJobBoard, posting: dict[str, Any], **options: Any) -> None:
        super().__init__(
            board,
            posting["name"],
            uuid=posting["uuid"],
            details=posting.get("details"),
            book_data=posting.get("book"),
            **options,
        )
        self._priority = taskflow_base.JobPriority.convert(posting["priority"])

    @property
    def priority(self) -> Any:
        return self._priority

    @property
    def state(self) -> str:
        row = self.board.row(self)
        if row is None:
            return str(states.COMPLETE)
        return str(states.CLAIMED if row["owner"] else states.UNCLAIMED)

    @property
    def created_on(self) -> datetime.datetime | None:
        return self._time("created_at")

    @property
    def last_modified(self) -> datetime.datetime | None:
        return self._time("modified_at") or self._time("created_at")

    def _time(self, column: str) -> datetime.datetime | None:
        row = self.board.row(self)
        if row is None or row[column] is None:
            return None
        moment = datetime.datetime.fromtimestamp(row[column], datetime.UTC)
        return moment.replace(tzinfo=None)  # as TaskFlow has them

    def __str__(self) -> str:
        return f"{type(self).__name__}: {self.name} (uuid={self.uuid})"


class EmbeddedJobBoard(taskflow_base.NotifyingJobBoard, base.Listener):  # type: ignore[misc]
    """``conf``: ``path`` of the file; ``shard``, ``shards`` and ``session_timeout`` as in
    funcflow's configuration."""

    def __init__(
        self,
        name: str,
        conf: dict[str, Any],
        persistence: Any = None,
        emit_notifications: bool = True,
    ) -> None:
        super().__init__(name, conf)
        self._emit_notifications = emit_notifications
        self._path = Path(conf["path"])
        self._shard = int(conf.get("shard", 0))
        self._persistence = persistence
        self._hub: hub.Hub | None = None
        self._session = sessions.Session(self, serve=True)
        self._changed = threading.Condition()
        self._entities: dict[str, Any] = {}

    @classmethod
    def for_shard(cls, conf: cfg.ConfigOpts, shard: int, **options: Any) -> EmbeddedJobBoard:
        """The board of a shard of the configured jobboard."""
        described = {
            "path": str(hub.path_of(conf)),
            "shard": shard,
            "shards": conf.jobboard.shards,
            "session_timeout": conf.jobboard.session_timeout,
        }
        return cls(f"funcflow-{shard:02d}", described, **options)

    # Life

    def connect(self) -> None:
        if self._hub is not None:
            return
        shards = int(self._conf.get("shards", 8))
        timeout = float(self._conf.get("session_timeout", 10.0))
        with _job_failures("Failed to open the board"):
            shared = hub.enter(self._path, shards, timeout)
            try:
                shared.open_session(self._session)
            except BaseException:
                hub.leave(shared)
                raise
        self._hub = shared

    def close(self) -> None:
        shared, self._hub = self._hub, None
        if shared is not None:
            shared.close_session(self._session)
            hub.leave(shared)

    @property
    def connected(self) -> bool:
        return self._hub is not None and self._session.name is not None

    def on_jobs(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def on_session(self, alive: bool) -> None:
        if alive:
            for entity in list(self._entities.values()):
                self.register_entity(entity)

    def _tell(self, event: str, job: EmbeddedJob) -> None:
        if self._emit_notifications:
            self.notifier.notify(event, {"job": job})

    # Jobs

    def post(
        self,
        name: str,
        book: Any = None,
        details: dict[str, Any] | None = None,
        priority: Any = taskflow_base.JobPriority.NORMAL,
    ) -> EmbeddedJob:
        priority = taskflow_base.JobPriority.convert(priority)
        uuid = uuidutils.generate_uuid()
        posting = taskflow_base.format_posting(
            uuid, name, book=book, details=details, priority=priority
        )
        with self._using() as (shared, _):
            shared.db.execute(
                "INSERT INTO jobs (id, shard, posting, created_at) VALUES (?, ?, ?, ?)",
                (uuid, self._shard, json.dumps(posting), time.time()),
            )
        job = EmbeddedJob(self, posting, book=book, backend=self._persistence)
        shared.tell_jobs()
        self._tell(taskflow_base.POSTED, job)
        return job

    def iterjobs(self, only_unclaimed: bool = False, ensure_fresh: bool = False) -> Any:
        return taskflow_base.JobBoardIterator(
            self,
            LOG,
            only_unclaimed=only_unclaimed,
            ensure_fresh=ensure_fresh,
            board_fetch_func=self._fetch,
        )

    def _fetch(self, ensure_fresh: bool = False) -> list[EmbeddedJob]:
        with self._using() as (shared, _):
            rows = _rows(shared.db, "WHERE shard = ? ORDER BY created_at, id", (self._shard,))
        jobs = [EmbeddedJob(self, _posting(row), backend=self._persistence) for row in rows]
        jobs.sort(key=lambda job: PRIORITIES.index(job.priority.value))
        return jobs

    @property
    def job_count(self) -> int:
        with self._using() as (shared, _):
            count = shared.db.execute(
                "SELECT count(*) FROM jobs WHERE shard = ?", (self._shard,)
            ).fetchone()
        return int(count[0])

    def wait(self, timeout: float | None = None) -> Any:
        watch = timeutils.StopWatch(duration=timeout)
        watch.start()
        while not self.job_count:
            if watch.expired():
                raise taskflow_errors.NotFound(
                    f"Expired waiting for jobs to arrive; waited {watch.elapsed()} seconds"
                )
            with self._changed:
                self._changed.wait(min(POLL, watch.leftover(return_none=True) or POLL))
        return self.iterjobs()

    def row(self, job: EmbeddedJob) -> dict[str, Any] | None:
        """What the file says of a job; None: it is gone."""
        with self._using() as (shared, _):
            return next(iter(_rows(shared.db, "WHERE id = ?", (job.uuid,))), None)

    def find_owner(self, job: EmbeddedJob) -> str | None:
        row = self.row(job)
        return row["who"] if row else None

    @taskflow_base.check_who  # type: ignore[untyped-decorator]
    def claim(self, job: EmbeddedJob, who: str) -> None:
        with self._using() as (shared, session):
            won = shared.db.execute(
                "UPDATE jobs SET owner = ?, who = ?, epoch = ?, modified_at = ?"
                " WHERE id = ? AND owner IS NULL",
                (session, who, shared.file.epoch(), time.time(), job.uuid),
            ).rowcount
            shared.waiting.remove(self._shard, job.uuid)
        if won:
            return
        if self.row(job) is None:
            raise taskflow_errors.NotFound(f"Job {job.uuid} not found to be claimed")
        raise taskflow_errors.UnclaimableJob(f"Job {job.uuid} already claimed")

    @taskflow_base.check_who  # type: ignore[untyped-decorator]
    def consume(self, job: EmbeddedJob, who: str) -> None:
        with self._owned(job, who) as (shared, _):
            shared.db.execute("DELETE FROM jobs WHERE id = ?", (job.uuid,))
        self._tell(taskflow_base.REMOVAL, job)

    @taskflow_base.check_who  # type: ignore[untyped-decorator]
    def abandon(self, job: EmbeddedJob, who: str) -> None:
        with self._owned(job, who) as (shared, _):
            shared.db.execute(
                "UPDATE jobs SET owner = NULL, who = NULL, epoch = NULL, modified_at = ?"
                " WHERE id = ?",
                (time.time(), job.uuid),
            )
            shared.resync()
        shared.tell_jobs()

    @taskflow_base.check_who  # type: ignore[untyped-decorator]
    def trash(self, job: EmbeddedJob, who: str) -> None:
        with self._owned(job, who) as (shared, row):
            shared.db.execute(
                "INSERT OR REPLACE INTO trash VALUES (?, ?)", (job.uuid, json.dumps(_posting(row)))
            )
            shared.db.execute("DELETE FROM jobs WHERE id = ?", (job.uuid,))
        self._tell(taskflow_base.REMOVAL, job)

    def register_entity(self, entity: Any) -> None:
        with self._using() as (shared, session):
            shared.db.execute(
                "INSERT OR REPLACE INTO entities VALUES (?, ?, ?, ?)",
                (entity.name, entity.kind, session, json.dumps(entity.to_dict())),
            )
        self._entities[entity.name] = entity

    @contextlib.contextmanager
    def _using(self) -> Iterator[tuple[hub.Hub, str]]:
        """The file, under its lock, with our living session's name."""
        with _job_failures("The board cannot be used"):
            if self._hub is None:
                raise errors.Unavailable("the board is not connected")
            with self._hub.lock:
                yield self._hub, self._hub.alive(self._session)

    @contextlib.contextmanager
    def _owned(self, job: EmbeddedJob, who: str) -> Iterator[tuple[hub.Hub, dict[str, Any]]]:
        """A change to a job that ``who`` has claimed here, all or nothing."""
        with self._using() as (shared, session), board_file.transaction(shared.db):
            row = next(iter(_rows(shared.db, "WHERE id = ?", (job.uuid,))), None)
            if row is None or not row["owner"]:
                raise taskflow_errors.NotFound(f"Job {job.uuid} has no owner we can determine")
            if (row["owner"], row["who"]) != (session, who):
                raise taskflow_errors.JobFailure(f"Job {job.uuid} is not owned by {who}")
            yield shared, row


_COLUMNS = (
    "id",
    "project_id",
    "function_id",
    "kind",
    "posting",
    "created_at",
    "modified_at",
    "owner",
)


def _rows(db: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Jobs as dictionaries; ``who`` is the name a claim was made under."""
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)}, coalesce(who, (SELECT member FROM sessions"  # noqa: S608
        f" WHERE sessions.name = jobs.owner), owner) FROM jobs {where}",
        values,
    )
    return [dict(zip((*_COLUMNS, "who"), row, strict=True)) for row in rows]


def _posting(row: dict[str, Any]) -> dict[str, Any]:
    """The posting of a job; funcflow's own have none, only their ids."""
    if row["posting"] is not None:
        posting: dict[str, Any] = json.loads(row["posting"])
        return posting
    ticket = base.Ticket(row["id"], row["project_id"], row["function_id"], row["kind"])
    return {
        "uuid": row["id"],
        "name": tickets.job_name(ticket),
        "priority": taskflow_base.JobPriority.NORMAL.value,
        "details": tickets.details(ticket),
    }


@contextlib.contextmanager
def _job_failures(message: str) -> Iterator[None]:
    """SQLite's and our errors as TaskFlow's."""
    try:
        yield
    except (sqlite3.Error, errors.FuncflowError) as exc:
        raise taskflow_errors.JobFailure(f"{message}: {exc}") from exc
