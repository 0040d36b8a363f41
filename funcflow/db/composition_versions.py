"""Versions of compositions. Called by the API (changes inside ``Database.transact``) and the
starter; see :mod:`funcflow.db.versioning`."""

from __future__ import annotations

from funcflow import models
from funcflow.db import composition_revisions as revisions
from funcflow.db import compositions
from funcflow.db.kinds import KINDS
from funcflow.db.versioning import Versions

OF = Versions(
    KINDS["composition"], compositions, revisions, models.CompositionVersion, "definition"
)
create, get, list_, describe, delete = OF.create, OF.get, OF.list_, OF.describe, OF.delete
