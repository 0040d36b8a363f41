"""Steps of compositions whose functions cannot have their secrets."""

from __future__ import annotations

import time
from pathlib import Path

from funcflow import ids, models, mounts
from funcflow.db import secrets
from funcflow.secrets import keyring
from funcflow.states import CompositionState as State
from tests import conducting
from tests.conducting import PROJECT, machine


def test_a_secret_that_is_gone_fails_the_step(data_dir: Path) -> None:
    with conducting.stage(data_dir) as stage:
        stage.conductor()
        kept = models.Secret(id=ids.new(), name="KEY", project_id=PROJECT, created_at=time.time())
        sealed = keyring.Keys(stage.conf).ring.seal("value", kept)
        kept = models.Secret(
            id=kept.id, name="KEY", project_id=PROJECT, sealed=sealed, created_at=kept.created_at
        )
        stage.database.transact(lambda c: secrets.create(c, kept, 1))
        stage.function("f", "def main():\n    return 1\n", secrets=(mounts.mount("KEY"),))
        made = stage.composition(machine({"Type": "Task", "Resource": "f"}))
        assert stage.output(stage.begin(made).id) == 1
        stage.database.transact(lambda c: secrets.delete(c, kept.id))
        stage.conductors[0].on_announce("secrets")
        ended = stage.ended(stage.begin(made).id)
        assert (ended.state, ended.error) == (State.FAILED, "SecretUnavailable")
