"""A conductor in this process, with what tests of compositions need around it.

Functions run in the ``memory`` sandbox; database and board are real: SQLite and the embedded
board, or whatever the options name.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from oslo_config import cfg

from funcflow import conf as config
from funcflow import definitions, deploy, ids, models, states
from funcflow.cmd import parts
from funcflow.compositions import signals
from funcflow.compositions.compile import parse
from funcflow.conductor import endpoint
from funcflow.conductor.compositions.entry import ticket_of
from funcflow.conductor.conductor import Conductor
from funcflow.db import composition_executions as executions
from funcflow.db import compositions, listing, runtimes, schema, tallies
from funcflow.db import executions as function_executions
from funcflow.db.engine import Database
from funcflow.jobboards import base as board_base
from funcflow.wishes import Wish
from tests.waiting import until

PROJECT = "project"
CONTEXT = models.RequestContext(project_id=PROJECT, request_id="request")
#: Used where a test says nothing else: fast and without walls.
SANDBOX = {"driver": "memory", "allow_unprotected": True}
OPEN = states.COMPOSITION_OPEN


def machine(*states: dict[str, Any], prefix: str = "S", **fields: Any) -> dict[str, Any]:
    """States one after the other, called S0, S1 …"""
    named = {}
    for number, state in enumerate(states):
        after = {"Next": f"{prefix}{number + 1}"} if number + 1 < len(states) else {"End": True}
        ends = state["Type"] in ("Choice", "Succeed", "Fail")
        named[f"{prefix}{number}"] = state if ends else {**after, **state}
    return {"StartAt": f"{prefix}0", "States": named, **fields}


class Stage:
    """Database, store and board of one installation, and the conductors on it."""

    def __init__(self, folder: Path, options: Mapping[str, Mapping[str, Any]]) -> None:
        self.folder = folder
        self.options = options
        groups: dict[str, dict[str, object]] = {
            "default": {"data_dir": str(folder)},
            "sandbox": SANDBOX,
            "conductor": {"drain": 0.5, "backoff": 0.05, "sweep_interval": 0.5},
            "jobboard": {"session_timeout": 2.0},
        }
        for name, values in options.items():
            groups[name] = {**groups.get(name, {}), **values}
        self.conf: cfg.ConfigOpts = config.load((), **groups)
        schema.upgrade(config.database_url(self.conf))
        self.database: Database = parts.database(self.conf)
        self.database.transact(lambda conn: runtimes.ensure_defaults(conn, PROJECT))
        self.store = parts.store(self.conf)
        self.definitions = definitions.Definitions(self.conf, self.database, self.store)
        self._closing = contextlib.ExitStack()
        self.conductors: list[Conductor] = []
        self._board: board_base.Board | None = None
        self._deployer = deploy.Deployer(self.conf, self.database, self.store)

    @property
    def board(self) -> board_base.Board:
        """That of the first conductor, or one that only posts."""
        assert self._board is not None
        return self._board

    # -- what runs ------------------------------------------------------------------------

    def conductor(
        self, clock: Callable[[], float] = time.time, door: str | None = None
    ) -> Conductor:
        """Another conductor on this installation, ended with the stage.

        :param door: the secret of its hand-over endpoint; None: it has none
        """
        board = parts.board(self.conf)
        made = Conductor(
            self.conf,
            self.database,
            board,
            parts.sandbox(self.conf),
            self.store,
            definitions.Definitions(self.conf, self.database, self.store),
            clock,
        )
        fanout = parts.Fanout()
        fanout.listeners.append(made)
        address = None
        if door is not None:
            opened = endpoint.Endpoint(made, door, "127.0.0.1", 0)
            self._closing.callback(opened.stop)
            address = opened.address
        made.start(fanout, address)
        self.conductors.append(made)
        if self._board is None:
            self._board = board
        return made

    def end(self, made: Conductor) -> None:
        """Stop a conductor before the stage ends."""
        self.conductors.remove(made)
        made.stop()

    def watch_board(self) -> None:
        """Be able to post without having a conductor."""
        self._board = parts.board(self.conf)
        self._board.start(board_base.Listener(), serve=False)
        self._closing.callback(self._board.stop)

    def close(self) -> None:
        for made in list(self.conductors):
            self.end(made)
        self._closing.close()
        self.database.close()

    # -- what is there --------------------------------------------------------------------

    def function(self, name: str, source: str, **wishes: Any) -> models.Function:
        wish = Wish(name=name, source=source, runtime="python3", **{"timeout": 30.0, **wishes})
        return self._deployer.create(CONTEXT, wish)

    def composition(
        self,
        definition: Mapping[str, Any],
        type_: models.CompositionType = "STANDARD",
        name: str | None = None,
    ) -> models.Composition:
        text = json.dumps(definition)
        parse(text, type_)
        composition_id = ids.new()
        made = models.Composition(
            id=composition_id,
            name=name or f"c-{composition_id}",
            project_id=PROJECT,
            created_at=time.time(),
            revision=models.CompositionRevision(
                composition_id=composition_id,
                number=1,
                project_id=PROJECT,
                type=type_,
                definition=text,
                digest="0" * 64,
                created_at=time.time(),
            ),
        )
        return self.database.transact(lambda conn: compositions.create(conn, made))

    # -- executions -----------------------------------------------------------------------

    def new(
        self, composition: models.Composition, input: Any = None, **fields: Any
    ) -> models.CompositionExecution:
        """A queued execution that nobody knows of yet."""
        execution_id = ids.new()
        made: dict[str, Any] = {
            "id": execution_id,
            "project_id": PROJECT,
            "composition_id": composition.id,
            "revision": composition.revision.number,
            "type": composition.revision.type,
            "name": execution_id,
            "shard": self.board.shard_of(composition.id),
            "input": json.dumps({} if input is None else input),
            "seed": secrets.token_hex(16),
            "created_at": time.time(),
        }
        return models.CompositionExecution(**{**made, **fields})

    def begin(
        self, composition: models.Composition, input: Any = None, **fields: Any
    ) -> models.CompositionExecution:
        """Start it, as an asynchronous caller does."""
        made = self.new(composition, input, **fields)
        self.database.write(executions.Insert((made,), True))
        self.board.post([ticket_of(made)])
        return made

    def known(self, execution_id: str) -> bool:
        with self.database.read() as conn:
            return executions.find(conn, execution_id) is not None

    def find(self, execution_id: str) -> models.CompositionExecution:
        with self.database.read() as conn:
            found = executions.find(conn, execution_id)
        assert found is not None
        return found

    def ended(self, execution_id: str, timeout: float = 30.0) -> models.CompositionExecution:
        until(
            lambda: self.find(execution_id).state not in OPEN,
            timeout,
            f"execution {execution_id} to end",
        )
        return self.find(execution_id)

    def output(self, execution_id: str, timeout: float = 30.0) -> Any:
        """What it gave, once it succeeded."""
        row = self.ended(execution_id, timeout)
        assert row.state is states.CompositionState.SUCCEEDED, (row.state, row.error, row.cause)
        assert row.output is not None
        return json.loads(self.definitions.texts.back(row.output))

    def in_state(
        self, execution_id: str, *wanted: states.CompositionState, timeout: float = 30.0
    ) -> models.CompositionExecution:
        until(
            lambda: self.known(execution_id) and self.find(execution_id).state in wanted,
            timeout,
            f"execution {execution_id} to be {wanted}",
        )
        return self.find(execution_id)

    def tell(self, execution_id: str, *what: signals.Signal) -> executions.Delivered | None:
        """Put signals into its inbox, as the API does."""
        entries = tuple(json.dumps(signals.dump(signal)) for signal in what)
        return self.database.write(executions.Deliver(execution_id, entries, time.time()))

    def heartbeat(self, execution_id: str, command: int) -> None:
        assert self.database.write(executions.Heartbeat(execution_id, command, time.time()))

    def elapse(self, seconds: float) -> None:
        """Let real time pass, where it is time that is tested."""
        end = time.time() + seconds
        until(lambda: time.time() >= end, seconds + 10, "time to pass")

    def log_texts(self, execution_id: str) -> list[str]:
        with self.database.read() as conn:
            return executions.signals(conn, execution_id)

    def log(self, execution_id: str) -> list[signals.Signal]:
        texts = self.log_texts(execution_id)
        return [signals.load(json.loads(self.definitions.texts.back(text))) for text in texts]

    def calls(self, execution_id: str) -> list[models.Execution]:
        """The functions that ran for it."""
        with self.database.read() as conn:
            found = function_executions.list_(conn, listing.Query(project_id=None))
        return [each for each in found if each.parent_id == execution_id]

    def printed(self, function_execution_id: str) -> str:
        with self.database.read() as conn:
            chunks = function_executions.logs(conn, function_execution_id)
        return "".join(chunk.text for chunk in chunks)

    def drift(self) -> int:
        """By how much accepted = queued + running + waiting + settled + dead is wrong, of
        functions and of compositions."""
        with self.database.read() as conn:
            return tallies.conservation(conn).drift + tallies.composition_conservation(conn).drift


def installation(kind: str, request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Options of an installation: ``embedded`` is SQLite and the embedded board, ``spread`` is
    PostgreSQL and ZooKeeper, both of the test's own."""
    if kind == "embedded":
        return {}
    hosts = request.getfixturevalue("zookeeper")
    return {
        "jobboard": {
            "driver": "zookeeper",
            "hosts": hosts,
            "path": f"/{uuid.uuid4()}",
            "session_timeout": 1.0,
        },
        "database": {"url": request.getfixturevalue("postgres_url")},
    }


@contextlib.contextmanager
def stage(folder: Path, **options: Mapping[str, Any]) -> Iterator[Stage]:
    """A stage without conductors; ``options``: {group: {name: value}} of the configuration."""
    made = Stage(folder, options)
    try:
        yield made
    finally:
        made.close()
