"""Stand-ins that fail on demand, for faults that real parts cannot be asked for; and WSGI calls
without a server."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping
from typing import Any

from funcflow import conf as config
from funcflow import control, definitions, histories, models, services, submit
from funcflow.api.app import Application, make_app
from funcflow.auth import base as auth_base
from funcflow.auth.none import NoAuth
from funcflow.db import schema
from funcflow.db.engine import Database
from funcflow.stores.memory import MemoryStore
from funcflow.triggers import drivers


class Submitter:
    """Raises ``error``, or answers ``submitted``."""

    def __init__(self, error: Exception | None = None, given: Any = None) -> None:
        self.error, self.given = error, given
        self.calls: list[submit.Call] = []

    def submit(self, context: models.RequestContext, call: submit.Call) -> submit.Submitted:
        self.calls.append(call)
        if self.error is not None:
            raise self.error
        answer: submit.Submitted = self.given
        return answer


class Board:
    """A board whose reach can be cut."""

    def __init__(self) -> None:
        self.connected = True
        self.live: tuple[str, ...] = ("conductor",)

    def members(self) -> tuple[str, ...]:
        return self.live

    def depth(self) -> int:
        return 0


class Control:
    """Conductors that cannot be asked."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def workers(self, function_id: str, revision: int | None = None) -> list[control.WorkerInfo]:
        raise self.error


@dataclasses.dataclass
class Parts:
    """An application and the doubles in it."""

    app: Application
    submitter: Submitter
    board: Board
    database: Database


def parts(
    folder: str, error: Exception | None = None, auth: auth_base.Auth | None = None, **api: object
) -> Parts:
    """An application on a real, empty database. Close the database at the end.

    ``auth``: in place of the driver that lets everybody in.
    """
    conf = config.load(default={"data_dir": folder}, api=api)
    url = config.database_url(conf)
    schema.upgrade(url)
    database, board, submitter = Database(url, patience=0.5), Board(), Submitter(error)
    known = definitions.Definitions(conf, database, MemoryStore(conf))
    made = services.Services(
        conf=conf,
        database=database,
        store=MemoryStore(conf),
        board=board,  # type: ignore[arg-type]
        auth=auth or NoAuth(conf),
        submitter=submitter,  # type: ignore[arg-type]
        control=Control(error or RuntimeError()),  # type: ignore[arg-type]
        starter=None,  # type: ignore[arg-type]
        definitions=known,
        histories=histories.Histories(database, known),
        approvals=None,  # type: ignore[arg-type]
        texts=known.texts,
        firer=None,  # type: ignore[arg-type]
        drivers=drivers.Drivers(["webhook"]),
    )
    return Parts(make_app(made), submitter, board, database)


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(app: Application, method: str, path: str, body: Any = None, **environ: Any) -> Answer:
    """One request, straight into the application."""
    raw = b"" if body is None else json.dumps(body).encode()
    path, _, query = path.partition("?")
    full = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "7070",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(raw)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(raw),
        **environ,
    }
    told: list[Any] = []
    chunks = app(full, lambda line, headers, exc_info=None: told.extend((line, headers)))
    answer = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return Answer(int(told[0][:3]), dict(told[1]), answer)
