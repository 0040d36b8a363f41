"""Versions of functions. Called by the API (changes inside ``Database.transact``) and the submit
path; see :mod:`funcflow.db.versioning`."""

from __future__ import annotations

from funcflow import models
from funcflow.db import functions, revisions
from funcflow.db.kinds import KINDS
from funcflow.db.versioning import Versions

OF = Versions(KINDS["function"], functions, revisions, models.Version, "code or settings")
create, get, list_, describe, delete = OF.create, OF.get, OF.list_, OF.describe, OF.delete
