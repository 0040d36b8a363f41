"""Buckets in Swift: containers of the project's own account, which its people use as well.

With the rights that somebody of the project lent, or else with the service's own: then a container
is to be used exactly as far as the project lets the service's user into it (``X-Container-Read``
and ``X-Container-Write``).
"""

from __future__ import annotations

import contextlib
import copy
import datetime
import functools
import hashlib
import io
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, cast

from oslo_config import cfg

from funcflow import errors
from funcflow.buckets import base
from funcflow.delegations import Lender
from funcflow.swift import faults
from funcflow.swift.account import Account, Patience
from funcflow.swift.reader import Reader
from funcflow.swift.service import Login, Service

#: How to log in for a project.
Logins = Callable[[str], Login]

_IN_MEMORY = 1024 * 1024
_PIECE = 64 * 1024
#: Accounts whose connections are kept.
_ACCOUNTS = 100


class SwiftBuckets:
    """See :class:`funcflow.buckets.base.Buckets`."""

    def __init__(self, conf: cfg.ConfigOpts, logins: Logins | None = None) -> None:
        """
        :raises errors.ConfigError: ``[swift]`` is incomplete
        """
        self._service = Service(conf)
        if logins is None:
            self._service.own()  # That there are credentials is to be known now.
            logins = self._service.of_project
        self._logins: Logins = logins
        self._patience = Patience.of(conf)
        self._lock = threading.Lock()
        self._accounts: OrderedDict[str, Account] = OrderedDict()

    @contextlib.contextmanager
    def acting(self, lent: Lender) -> Iterator[base.Buckets]:
        """For one piece of work: its connections are closed at the end."""
        made = copy.copy(self)
        made._logins = functools.partial(self._service.of_lent, lent)
        made._lock, made._accounts = threading.Lock(), OrderedDict()
        try:
            yield made
        finally:
            for account in made._accounts.values():
                account.close()

    def list(self, project_id: str, bucket: str, prefix: str = "") -> Iterator[base.Entry]:
        base.check(bucket)
        try:
            for entry in self._account(project_id).list(bucket, prefix):
                modified = datetime.datetime.fromisoformat(entry["last_modified"])
                yield base.Entry(
                    key=entry["name"],
                    size=entry["bytes"],
                    etag=entry["hash"],
                    modified=modified.replace(tzinfo=datetime.UTC).timestamp(),
                )
        except faults.Missing:
            raise base.no_bucket(bucket) from None

    def open(self, project_id: str, bucket: str, key: str) -> BinaryIO:
        """Read as far as it is asked for; the object is the same one to the end, or reading fails
        with ``object_changed``."""
        base.check(bucket, key)
        account = self._account(project_id)
        try:
            return io.BufferedReader(Reader(account, bucket, key), _PIECE)
        except faults.Missing:
            if account.has(bucket):
                raise base.no_object(bucket, key) from None
            raise base.no_bucket(bucket) from None

    def put(self, project_id: str, bucket: str, key: str, chunks: Iterable[bytes]) -> int:
        base.check(bucket, key)
        account = self._account(project_id)
        md5, size = hashlib.md5(usedforsecurity=False), 0
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            for chunk in chunks:
                md5.update(chunk)
                size += len(chunk)
                try:
                    spool.write(chunk)
                except OSError as exc:
                    raise errors.Unavailable(f"{key} cannot be stored: {exc.strerror}") from exc
            spool.seek(0)
            file, etag = cast(BinaryIO, spool), md5.hexdigest()
            try:
                account.put(bucket, key, file, size, etag)
            except faults.Missing:
                account.create(bucket)
                spool.seek(0)
                account.put(bucket, key, file, size, etag)
        return size

    def _account(self, project_id: str) -> Account:
        with self._lock:
            known = self._accounts.get(project_id)
            if known is None:
                known = Account(self._logins(project_id), self._patience)
                self._accounts[project_id] = known
            self._accounts.move_to_end(project_id)
            while len(self._accounts) > _ACCOUNTS:
                self._accounts.popitem(last=False)
        return known
