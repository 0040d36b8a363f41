"""Sizes of packages that were stored before sizes were written down.

Called by the sweeper; quotas count bytes of code only where they are known. One pass over what
is not known, some at each call; nothing to do ever after.
"""

from __future__ import annotations

import logging

from funcflow import errors
from funcflow.db import usage
from funcflow.db.engine import Database
from funcflow.stores import base as store_base

LOG = logging.getLogger(__name__)


class Sizes:
    """Of one conductor."""

    def __init__(self, database: Database, store: store_base.Store) -> None:
        self._database = database
        self._store = store
        #: The last digest looked at; None: the pass is over.
        self._after: str | None = ""

    def fill(self, limit: int = 100) -> int:
        """Write down the next sizes; how many.

        :raises errors.Unavailable: the store or the database is away
        """
        if self._after is None:
            return 0
        with self._database.read() as connection:
            digests = usage.unsized(connection, self._after, limit)
        filled = 0
        for digest in digests:
            filled += self._fill(digest)
            self._after = digest
        if len(digests) < limit:
            self._after = None
        return filled

    def _fill(self, digest: str) -> bool:
        try:
            with self._store.open(digest) as package:
                size = package.seek(0, 2)
        except errors.FuncflowError as exc:
            if isinstance(exc, errors.Unavailable) and exc.code == errors.Unavailable.code:
                raise
            LOG.warning("the size of package %s stays unknown: %s", digest, exc)
            return False
        self._database.transact(lambda connection: usage.set_size(connection, digest, size))
        return True
