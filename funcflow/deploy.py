"""Creating and changing functions: from what somebody sent to a stored package and a revision.

Called by :mod:`funcflow.api.controllers.functions`. The package is checked and kept in the store
before the row that points to it is written; what is then refused is left for the store's
garbage collection.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Literal, TypeVar

from oslo_config import cfg

from funcflow import errors, identities, ids, images, models, mounts, origins, packages
from funcflow.db import functions, runtimes, usage
from funcflow.db.engine import Database
from funcflow.quotas import base as quotas
from funcflow.stores import base as store_base
from funcflow.wishes import KEEP, Keep, Wish

T = TypeVar("T")
_CHUNK = 64 * 1024
_UNITS = {"cpu": "millicpu", "memory": "bytes", "timeout": "seconds"}
_HOW = 'Send a zip as the form\'s file "package", or a module as "source".'


@dataclasses.dataclass(frozen=True, slots=True)
class _Upload:
    """Code that is in the store. ``chunks``: its bytes, as often as needed.

    ``digest`` None: an image, which is in a registry.
    """

    code: dict[str, Any]
    digest: str | None
    size: int
    chunks: Callable[[], Iterable[bytes]]


class Deployer:
    """Creates and changes functions."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, store: store_base.Store) -> None:
        self._limits = conf.limits
        self._origins = origins.Origins(conf)
        self._quotas = quotas.load(conf, database)
        self._identities = identities.Identities(conf, database)
        self._package_limits = packages.Limits(size=conf.api.max_package)
        self._database = database
        self._store = store

    def default(self, field: str) -> Any:
        """What a field of :class:`~funcflow.wishes.Wish` is when nobody wishes anything.

        :raises errors.BadRequest: it has no default
        """
        limits = self._limits
        defaults: dict[str, Any] = {
            "name": "",
            "description": "",
            "entry": "main.main",
            "environment": {},
            "configuration": {},
            "secrets": [],
            "cpu": limits.default_cpu,
            "memory_size": limits.default_memory,
            "timeout": float(limits.default_timeout),
            "concurrency": limits.default_concurrency,
            "max_concurrency": None,
            "delivery": "at-least-once",
            "network": False,
            "identity": None,
        }
        if field not in defaults:
            raise errors.BadRequest(f"{field} cannot be null", code="invalid_field")
        return defaults[field]

    def create(self, context: models.RequestContext, wish: Wish) -> models.Function:
        """A new function of the asker's project.

        :raises errors.BadRequest: something is missing, out of range or not a package
        :raises errors.NotFound: no such runtime
        :raises errors.Forbidden: the project has all the functions it may have
        """
        if wish.code is KEEP and wish.package is None and wish.source is None:
            raise errors.BadRequest(
                "Required param is missing. Required: {'code'}",
                code="no_code",
                hint=_HOW,
            )
        self._check(wish)
        with self._origins.brought(context, wish, {}) as brought:
            return self._create(context, brought)

    def _create(self, context: models.RequestContext, wish: Wish) -> models.Function:
        runtime = None
        if not _is_image(wish):
            if wish.runtime is KEEP:
                raise _no_runtime()
            runtime = self._runtime(context, wish.runtime)
        now = time.time()
        blank = models.Revision(
            function_id=ids.new(),
            number=1,
            project_id=context.project_id,
            runtime_id=runtime.id if runtime else None,
            code={},
            digest=None,
            limits=models.Limits(
                **{n: self.default(n) for n in ("cpu", "memory_size", "timeout", "concurrency")}
            ),
            created_at=now,
        )
        upload = self._upload(wish, blank, runtime)
        if upload is None:
            raise errors.BadRequest("the code is missing", code="no_code", hint=_HOW)
        made = models.Function(
            id=blank.function_id,
            name=_pick(wish.name, None),
            description=_pick(wish.description, ""),
            project_id=context.project_id,
            revision=self._identities.of_new(context, _merged(blank, wish, runtime, upload)),
            created_at=now,
        )
        limits = self._quotas.limits(context.project_id)

        def write(connection: Any) -> None:
            mounts.check(connection, context, made.revision, wished=wish.secrets is not KEEP)
            functions.create(connection, made, limits.functions)
            self._identities.settle(connection, context, None, made.revision)
            self._check_code(connection, made.project_id, limits)

        self._database.transact(write)
        self._keep(upload, made.project_id)
        return made

    def update(
        self, context: models.RequestContext, current: models.Function, wish: Wish
    ) -> models.Function:
        """The function changed; a new revision when it will run differently.

        :raises errors.BadRequest: something is out of range or not a package
        :raises errors.NotFound: no such runtime, or the function is gone
        """
        self._check(wish)
        with self._origins.brought(context, wish, current.revision.code) as brought:
            return self._update(context, current, brought)

    def _update(
        self, context: models.RequestContext, current: models.Function, wish: Wish
    ) -> models.Function:
        runtime = None if wish.runtime is KEEP else self._runtime(context, wish.runtime)
        upload = self._upload(wish, current.revision, runtime)
        tentative = self._identities.of_changed(
            context, current.revision, _merged(current.revision, wish, runtime, upload),
            asked=wish.identity is not KEEP,
        )  # fmt: skip
        if tentative.identity is not None and tentative.identity.kind == "owner":
            wish = dataclasses.replace(wish, identity=tentative.identity)
        name, description = _pick(wish.name, None), _pick(wish.description, None)
        limits = self._quotas.limits(current.project_id)

        def write(connection: Any) -> models.Function:
            now = time.time()
            # What it is now, not when it was looked at: changes at the same time are merged.
            made = functions.locked(connection, current.id, current.project_id)
            revision = _merged(made.revision, wish, runtime, upload)
            self._identities.settle(connection, context, made.revision, revision)
            if revision != made.revision:
                wished = wish.secrets is not KEEP
                mounts.check(connection, context, revision, wished=wished)
                made = functions.new_revision(
                    connection, made.id, made.project_id, revision, now=now
                )
                self._check_code(connection, made.project_id, limits)
            if name is not None or description is not None:
                made = functions.update(
                    connection, made.id, made.project_id, now=now,
                    name=name, description=description,
                )  # fmt: skip
            return made

        changed = self._database.transact(write)
        self._keep(upload, changed.project_id)
        return changed

    def _check_code(self, connection: Any, project_id: str, limits: quotas.Limits) -> None:
        """In the transaction that adds code, which is undone if that is too much.

        :raises quotas.QuotaExceeded: the project's packages are more than they may be
        """
        if limits.code_size < 0:
            return
        have = usage.locked_code_size(connection, project_id)
        if have > limits.code_size:
            raise quotas.QuotaExceeded(
                f"the project's packages would be {have} bytes, more than its "
                f"{limits.code_size} allowed"
            )

    def _runtime(self, context: models.RequestContext, reference: str) -> models.Runtime:
        with self._database.read() as connection:
            found = runtimes.resolve(connection, reference, context.project_id)
        if found.status != "available":
            raise errors.BadRequest(
                f"Runtime {found.id} is not available.", code="runtime_unavailable"
            )
        return found

    def _check(self, wish: Wish) -> None:
        """What is wished is within the configured limits, and of code that can be had."""
        wished = {"cpu": wish.cpu, "memory": wish.memory_size, "timeout": wish.timeout}
        for name, value in wished.items():
            low, high = self._limits[f"min_{name}"], self._limits[f"max_{name}"]
            if not isinstance(value, Keep) and not low <= value <= high:
                raise errors.BadRequest(
                    f"{name} must be between {low} and {high} {_UNITS[name]}", code="out_of_range"
                )
        self._origins.check(wish)

    def _upload(
        self, wish: Wish, old: models.Revision, runtime: models.Runtime | None
    ) -> _Upload | None:
        """The code that came with the wish, checked and stored; None: none came."""
        if wish.code is not KEEP and _is_image(wish):
            code = {name: wish.code[name] for name in images.FIELDS if wish.code.get(name)}
            return _Upload(code, None, 0, lambda: [])
        comes = wish.source is not None or wish.package is not None
        if comes and runtime is None and old.runtime_id is None:
            raise _no_runtime()
        if wish.source is not None:
            return self._source(wish.source, _pick(wish.entry, old.entry), old, runtime)
        if wish.package is None:
            if runtime is not None and old.code.get("source") == "image":
                raise images.bad("an image brings its own runtime")
            return None
        package = wish.package
        promised = None if wish.code is KEEP else wish.code.get("md5sum")
        if promised and promised == old.code.get("md5sum"):
            raise errors.BadRequest(
                "The function code checksum is not changed.", code="unchanged_code"
            )
        info = packages.inspect(package, self._package_limits)
        if promised and promised != info.md5:
            raise errors.BadRequest("Package md5 mismatch.", code="md5_mismatch")
        digest = self._store.put(_chunks(package), old.project_id)
        code = origins.code_of(wish.code, info.md5)
        return _Upload(code, digest, package.seek(0, 2), lambda: _chunks(package))

    def _source(
        self, source: str, entry: str, old: models.Revision, runtime: models.Runtime | None
    ) -> _Upload:
        if runtime is None and old.runtime_id is not None:
            with self._database.read() as connection:
                runtime = runtimes.get(connection, old.runtime_id, None)
        data = packages.from_source(source, runtime.language if runtime else "", entry)
        md5sum = hashlib.md5(data, usedforsecurity=False).hexdigest()
        digest = self._store.put([data], old.project_id)
        return _Upload({"source": "source", "md5sum": md5sum}, digest, len(data), lambda: [data])

    def _keep(self, upload: _Upload | None, project_id: str) -> None:
        """Store the package again if it was collected as garbage before a row pointed to it."""
        if upload is None or upload.digest is None:
            return
        try:
            there = self._store.has(upload.digest)
        except errors.Unavailable:
            return  # It was stored a moment ago, and the row is written.
        if not there:
            self._store.put(upload.chunks(), project_id)


def _merged(
    old: models.Revision,
    wish: Wish,
    runtime: models.Runtime | None,
    upload: _Upload | None,
) -> models.Revision:
    """``old`` with what is wished."""
    limits = models.Limits(
        cpu=_pick(wish.cpu, old.limits.cpu),
        memory_size=_pick(wish.memory_size, old.limits.memory_size),
        timeout=_pick(wish.timeout, old.limits.timeout),
        concurrency=_pick(wish.concurrency, old.limits.concurrency),
        max_concurrency=_pick(wish.max_concurrency, old.limits.max_concurrency),
    )
    runtime_id = old.runtime_id if runtime is None else runtime.id
    if upload is not None and upload.digest is None:
        runtime_id = None
    elif upload is not None and runtime_id is None:  # it became an image meanwhile
        raise _no_runtime()
    environment = {**_pick(wish.environment, old.environment), **wish.variables}
    return dataclasses.replace(
        old,
        runtime_id=runtime_id,
        code=old.code if upload is None else upload.code,
        digest=old.digest if upload is None else upload.digest,
        size=old.size if upload is None else upload.size,
        entry=_pick(wish.entry, old.entry),
        environment={name: value for name, value in environment.items() if value is not None},
        configuration=_pick(wish.configuration, old.configuration),
        secrets=_pick(wish.secrets, old.secrets),
        limits=limits,
        delivery=_pick(wish.delivery, old.delivery),
        network=_pick(wish.network, old.network),
        identity=_pick(wish.identity, old.identity),
    )


def _is_image(wish: Wish) -> bool:
    return wish.code is not KEEP and wish.code.get("source") == "image"


def _no_runtime() -> errors.BadRequest:
    return errors.BadRequest(
        '"runtime_id" must be specified.',
        code="no_runtime",
        hint="Name one by id or name, such as python3; GET /v1/runtimes lists them.",
    )


def _pick(wished: T | Literal[Keep.KEEP], now: T) -> T:
    return now if isinstance(wished, Keep) else wished


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while chunk := file.read(_CHUNK):
        yield chunk
