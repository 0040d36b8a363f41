"""HTTP calls, reading and writing in threads: answered once, cancelled, failed by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from funcflow import conf
from funcflow.buckets.filesystem import FilesystemBuckets
from funcflow.compositions import signals
from funcflow.compositions.commands import ReadItems, Request, RunTask, WriteResults
from funcflow.compositions.definition import ItemReader, ResultWriter
from funcflow.compositions.failures import Failure
from funcflow.compositions.work import CallHttp
from funcflow.conductor.compositions import base
from funcflow.conductor.compositions.background import Background
from funcflow.conductor.compositions.objects import Objects
from funcflow.conductor.compositions.waiters import Waiters
from funcflow.db import composition_executions as db
from funcflow.db import schema
from funcflow.db.engine import Database
from funcflow.egress.addresses import Guard, networks
from funcflow.egress.client import Bounds, Client
from funcflow.http_tasks import HttpWork
from tests import webserver
from tests.unit.conductor.compositions.held import Held, row, task
from tests.waiting import until
from tests.webserver import Answer, Asked, Server


@pytest.fixture
def server() -> Iterator[Server]:
    with webserver.serving() as server:
        yield server


def calls(allow: tuple[str, ...] = ("127.0.0.1",), **bounds: Any) -> Background:
    client = Client(Guard(networks(allow)))

    def prepare(held: base.Held, command: Request) -> HttpWork:
        assert isinstance(command, RunTask)
        assert isinstance(command.work, CallHttp)
        return HttpWork(client, command.work, Bounds(**bounds))

    return Background(prepare, Waiters("http", 4))


def call(url: str, number: int = 1, **arguments: Any) -> Request:
    return task("funcflow:http", {"ApiEndpoint": url, **arguments}, number)


def answer_of(background: Background, command: Request) -> signals.Signal:
    held = Held()
    background.perform(held, [command], False)
    (answer,) = held.answered()
    background.stop()
    return answer


# -- HTTP --------------------------------------------------------------------------------------


def test_a_call_succeeds(server: Server) -> None:
    server.on("/a", Answer(200, b'{"b": [1]}', {"Content-Type": "application/json"}))
    command = call(server.url("/a"), Method="POST", RequestBody={"c": 2})
    answer = answer_of(calls(), command)
    assert isinstance(answer, signals.TaskSucceeded)
    assert answer.output["ResponseBody"] == {"b": [1]}
    assert answer.output["StatusCode"] == 200
    assert json.loads(server.asked[0].body) == {"c": 2}


@pytest.mark.parametrize(
    ("path", "arguments", "error", "cause"),
    [
        ("/missing", {}, "States.Http.StatusCode.404", ""),
        ("/big", {}, "States.DataLimitExceeded", "more than 1000 bytes"),
        ("/silent", {}, "States.Http.Socket", "ended early"),
        ("/image", {}, "States.Runtime", "no text"),
        ("/a", {"Method": "BREW"}, "States.Runtime", "BREW"),
        ("/a", {"ApiEndpoint": "gopher://x"}, "States.Runtime", "no http or https"),
        ("/a", {"Headers": {"X": "a\nb"}}, "States.Runtime", "cannot be sent"),
        ("/a", {"ApiEndpoint": "http://169.254.169.254/"}, "States.Permissions", "link-local"),
        ("/a", {"ApiEndpoint": "http://127.0.0.1:1/"}, "States.Http.Socket", "refused"),
    ],
)
def test_failures_have_names(
    server: Server, path: str, arguments: dict[str, Any], error: str, cause: str
) -> None:
    server.on("/big", Answer(200, b"x" * 1001))
    server.on("/silent", lambda asked, connection: None)
    server.on("/image", Answer(200, b"\x89PNG", {"Content-Type": "image/png"}))
    command = task("funcflow:http", {"ApiEndpoint": server.url(path), **arguments})
    answer = answer_of(calls(bytes=1000), command)
    assert isinstance(answer, signals.TaskFailed)
    assert answer.error == error
    assert cause in (answer.cause or "")


def waiting(server: Server) -> threading.Event:
    """The server's ``/slow`` answers once the event is set."""
    over = threading.Event()

    def wait(asked: Asked, connection: BaseHTTPRequestHandler) -> Answer:
        over.wait(60)
        return Answer(200)

    server.on("/slow", wait)
    return over


def test_a_slow_call_fails_in_time(server: Server) -> None:
    over = waiting(server)
    answer = answer_of(calls(seconds=0.2), call(server.url("/slow")))
    over.set()
    assert isinstance(answer, signals.TaskFailed)
    assert answer.error == "States.Http.Socket"


def test_what_is_cancelled_gives_no_answer(server: Server) -> None:
    over = waiting(server)
    server.on("/fast", Answer(200))
    background, held, other = calls(), Held(), Held()
    slow = [call(server.url("/slow"), number) for number in range(1, 4)]
    background.perform(held, slow, False)
    background.perform(other, [call(server.url("/slow"))], False)
    until(lambda: len(server.asked) == 4, what="the calls")
    background.cancel(held, slow[0])
    background.cancel(held, slow[0])
    background.leave(held)
    # All threads are free again.
    background.perform(held, [call(server.url("/fast"), 9)], False)
    assert [answer.id for answer in held.answered()] == [9]  # type: ignore[attr-defined]
    background.stop()
    assert not other.answers
    over.set()


def test_a_command_begun_anew_is_answered_by_the_new_call(server: Server) -> None:
    over = waiting(server)
    background, held = calls(), Held()
    command = call(server.url("/slow"))
    background.perform(held, [command], False)
    until(lambda: server.asked, what="the first call")
    background.perform(held, [command], True)
    over.set()
    assert len(held.answered()) == 1
    background.stop()
    assert len(held.answers) == 1


def test_what_breaks_fails_the_state() -> None:
    class Broken:
        def run(self) -> Any:
            raise ZeroDivisionError

        def cancel(self) -> None:
            """Nothing to stop."""

    def prepare(held: base.Held, command: Request) -> Broken:
        return Broken()

    answer = answer_of(Background(prepare, Waiters("x", 1)), call("http://a.test/"))
    assert isinstance(answer, signals.TaskFailed)
    assert (answer.error, answer.cause) == (
        "States.Runtime",
        "Internal failure (ZeroDivisionError)",
    )


def test_what_cannot_be_begun_fails_the_state() -> None:
    def prepare(held: base.Held, command: Request) -> Any:
        raise Failure("States.Runtime", "not so")

    answer = answer_of(Background(prepare, Waiters("x", 1)), call("http://a.test/"))
    assert isinstance(answer, signals.TaskFailed)
    assert answer.cause == "not so"


# -- buckets -----------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    url = f"sqlite:///{tmp_path}/funcflow.db"
    schema.upgrade(url)
    made = Database(url)
    yield made
    made.close()


def test_items_are_read_and_results_written(tmp_path: Path, database: Database) -> None:
    buckets = FilesystemBuckets(conf.load(default={"data_dir": str(tmp_path)}))
    buckets.put("p", "b", "in.jsonl", [b"1\n2\n"])
    background = Background(Objects(buckets, database, 1000), Waiters("objects", 2))
    held = Held()
    reader = ItemReader("s3:getObject", input_type="JSONL")
    reads = ReadItems(1, "Map", reader, {"Bucket": "b", "Key": "in.jsonl"})
    lacks = ReadItems(2, "Map", reader, {"Bucket": "b", "Key": "missing"})
    background.perform(held, [reads, lacks], False)
    answers = held.answered(2)
    (read,) = [each for each in answers if isinstance(each, signals.TaskSucceeded)]
    (failed,) = [each for each in answers if isinstance(each, signals.TaskFailed)]
    assert (read.id, read.output) == (1, [1, 2])
    assert (failed.id, failed.error) == (2, "States.ItemReaderFailed")

    child = row(parent_id=held.row.id, parent_command=7, map_run="a:run", map_index=0, name="x")
    database.write(db.Insert((child,), False))
    results = ({"Status": "SUCCEEDED", "Input": 1, "Output": 2},)
    writer = ResultWriter("s3:putObject")
    writes = WriteResults(3, "Map", writer, {"Bucket": "out"}, "a:run", results)
    background.perform(held, [writes], False)
    done = held.answered(3)[-1]
    assert isinstance(done, signals.TaskSucceeded)
    assert done.output["ResultWriterDetails"] == {"Bucket": "out", "Key": "run/manifest.json"}
    with buckets.open("p", "out", "run/SUCCEEDED_0.json") as file:
        (written,) = json.load(file)
    assert written["ExecutionArn"] == child.id
    assert (written["Name"], written["Input"], written["Output"]) == ("x", "1", "2")
    background.stop()


def test_reading_is_stopped(tmp_path: Path, database: Database) -> None:
    buckets = FilesystemBuckets(conf.load(default={"data_dir": str(tmp_path)}))
    pipe = tmp_path / "buckets/p/b/in.jsonl"
    pipe.parent.mkdir(parents=True)
    pipe.write_text("1\n" * 2_000_000)
    background = Background(Objects(buckets, database, 10**9), Waiters("objects", 1))
    held = Held()
    reads = ReadItems(
        1, "Map", ItemReader("x", input_type="JSONL"), {"Bucket": "b", "Key": "in.jsonl"}
    )
    background.perform(held, [reads], False)
    background.cancel(held, reads)
    background.stop()
    assert not held.answers
