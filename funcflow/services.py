"""What a running process is made of, built once in ``funcflow.cmd`` and passed in."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from oslo_config import cfg

if TYPE_CHECKING:
    from funcflow import (
        approvals,
        control,
        definitions,
        firing,
        histories,
        offload,
        starts,
        submit,
    )
    from funcflow.auth import base as auth_base
    from funcflow.db.engine import Database
    from funcflow.jobboards import base as board_base
    from funcflow.stores import base as store_base
    from funcflow.triggers import drivers


@dataclasses.dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need. Drivers are already connected."""

    conf: cfg.ConfigOpts
    database: Database
    store: store_base.Store
    board: board_base.Board
    auth: auth_base.Auth
    submitter: submit.Submitter
    control: control.Control
    #: Of compositions.
    starter: starts.Starter
    definitions: definitions.Definitions
    histories: histories.Histories
    approvals: approvals.Approvals
    texts: offload.Offload
    firer: firing.Firer
    drivers: drivers.Drivers
