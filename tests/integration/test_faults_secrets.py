"""Row 35 of the faults: secrets appear nowhere but where they belong.

A whole life with canaries in place of every secret, all logs at DEBUG, failures included.
"""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kazoo.client
import psycopg
import pytest

from tests import load
from tests.integration import faults
from tests.waiting import until
from tools import cluster
from tools.services import postgres, zookeeper

PATH = "/secrets"
SECRET = "canary-installation-secret"
PASSWORD = "canary-database-password"
ENVIRONMENT = "canary-environment-value"
KEPT = "canary-kept-secret"
CHANGED = "canary-changed-secret"
LENT = "canary-secret-for-metadata"
INPUT = "canary-input-value"
TOKEN = "canary-token-of-a-client"
KEYED = "canary-webhook-signature"
SOURCE = """
import os
# canary-in-code
def main(word=None, fail=False):
    print("kept:", os.environ["KEPT"])
    if fail:
        raise ValueError("no good: " + os.environ["KEPT"])
    return len(os.environ["TOP_SECRET"]) + len(word or "") + len(os.environ["KEPT"])
"""
#: Its import fails, with the secret in hand.
UNLOADABLE = """
import os
print("kept:", os.environ["KEPT"])
raise RuntimeError(os.environ["KEPT"])
"""
KEY = base64.b64encode(b"canary-key-of-the-installation--").decode()
#: The root logger at DEBUG, whatever a program wants: read at each program's start.
LOUD = """
import logging
set_level = logging.RootLogger.setLevel
logging.RootLogger.setLevel = lambda self, level: set_level(self, logging.DEBUG)
logging.getLogger().setLevel(0)
"""


@pytest.fixture(scope="module")
def loud() -> Iterator[str]:
    """Programs that start meanwhile log all there is. A folder."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "sitecustomize.py").write_text(LOUD)
        before = os.environ.get("PYTHONPATH")
        parts = [folder, before] if before else [folder]
        os.environ["PYTHONPATH"] = os.pathsep.join(parts)
        try:
            yield folder
        finally:
            if before is None:
                del os.environ["PYTHONPATH"]
            else:
                os.environ["PYTHONPATH"] = before


@pytest.fixture(scope="module")
def place(
    loud: str, zookeeper_secure: zookeeper.Node, postgres_server: postgres.Server
) -> Iterator[cluster.Cluster]:
    security = zookeeper_secure.security
    assert security
    key_file = Path(loud) / "secrets.key"
    key_file.touch(0o600)
    key_file.write_text(KEY)
    options = {
        "DEFAULT": {"secret": SECRET},
        "secrets": {"key_files": str(key_file)},
        "jobboard": {
            "path": PATH,
            "sasl_username": security.sasl_username,
            "sasl_password": security.sasl_password,
            "digest": "funcflow:canary-digest-password",
        },
        "conductor": {"max_attempts": 2, "backoff": 0.05},
    }
    with postgres_server.database() as url:
        secret_url = url.replace("funcflow@", f"funcflow:{PASSWORD}@")
        with faults.running(
            zookeeper_secure.hosts, secret_url, conductors=2, options=options
        ) as made:
            yield made


def canaries(place: cluster.Cluster, zookeeper_secure: zookeeper.Node) -> list[str]:
    assert zookeeper_secure.security
    found = [SECRET, PASSWORD, ENVIRONMENT, INPUT, TOKEN, KEYED]
    found += ["canary-digest-password", "canary-in-code", KEPT, CHANGED, LENT, KEY]
    return [*found, zookeeper_secure.security.sasl_password]


def znodes(node: zookeeper.Node) -> str:
    """Names and data of everything below our root."""
    assert node.security
    client = kazoo.client.KazooClient(
        node.hosts,
        sasl_options={
            "mechanism": "DIGEST-MD5",
            "username": node.security.sasl_username,
            "password": node.security.sasl_password,
        },
    )
    client.start(timeout=15)
    found: list[str] = []

    def walk(path: str) -> None:
        found.append(f"{path}: {client.get(path)[0].decode()}")
        for child in client.get_children(path):
            walk(f"{path}/{child}")

    try:
        walk(PATH)
    finally:
        client.stop()
        client.close()
    return "\n".join(found)


def live(place: cluster.Cluster, node: zookeeper.Node) -> list[Any]:
    """Success, failure, a dead letter, a refused call, a killed conductor; the answers."""
    answers: list[Any] = []

    def ask(method: str, path: str, body: Any = None) -> Any:
        headers = {"X-Auth-Token": TOKEN, "Authorization": f"Bearer {TOKEN}", "X-Sign": KEYED}
        status, answer = cluster.request(place.url, method, path, body, headers)
        answers.append(answer)
        return status, answer

    for name, value in (("kept", KEPT), ("lent", LENT)):
        assert ask("POST", "/v1/secrets", {"name": name, "value": value})[0] == 201
    function = load.create(
        place.url, "secretive", SOURCE, environment={"TOP_SECRET": ENVIRONMENT}, timeout=20,
        secrets=[{"secret": "kept"}, {"secret": "lent", "mount": "metadata"}],
    )  # fmt: skip
    given = {"word": INPUT}
    for sync in (True, False):
        for extra in ({}, {"fail": True}):
            call = {"function_id": function, "sync": sync, "input": {**given, **extra}}
            status, made = ask("POST", "/v1/executions", call)
            assert status == 201
            load.settled(place.url, [made["id"]])
            ask("GET", f"/v1/executions/{made['id']}/log")
    secrets(place, ask, function)
    ask("POST", "/v1/executions", {"function_id": "unknown", "input": given})
    ask("POST", "/v1/executions", {"function_id": function, "input": given, "word": 1})
    ask("GET", "/v1/executions")
    ask("GET", "/metrics")
    ask("GET", "/readyz")
    ask("GET", f"/v1/functions/{function}/workers")
    bad = load.create(place.url, "bad", f"# bad\n{SOURCE}", environment={"TOP_SECRET": ENVIRONMENT})
    plain = place.database_url.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        connection.execute("UPDATE revisions SET digest = 'gone' WHERE function_id = %s", (bad,))
    _, dead = ask("POST", "/v1/executions", {"function_id": bad, "sync": False, "input": given})
    faults.in_state(place.url, dead["id"], "dead")
    ask("GET", "/v1/dead-letters")
    place.conductors[0].kill()
    place.conductors[0].start()
    for conductor in place.conductors:
        conductor.kill()
    status, waiting = ask(
        "POST", "/v1/executions", {"function_id": function, "sync": False, "input": given}
    )
    assert status == 201
    answers.append(znodes(node))  # with a job among them
    assert waiting["id"] in answers[-1]
    for conductor in place.conductors:
        conductor.start()
    load.settled(place.url, [waiting["id"]])
    answers.append(znodes(node))
    return answers


def secrets(place: cluster.Cluster, ask: Any, function: str) -> None:
    """What goes wrong with secrets, and their end."""
    for body in (
        {"name": "kept", "value": KEPT},
        {"name": "wrong", "value": [KEPT]},
        {"name": "wrong", "value": {KEPT: KEPT}},
        {"name": "wrong", "value": KEPT, "barbican": KEPT},
        {"name": "wrong", "value": KEPT * 9999},
        {"name": "wrong", "value": KEPT, "other": KEPT},
    ):
        assert ask("POST", "/v1/secrets", body)[0] in (400, 409)
    broken = load.create(place.url, "unloadable", UNLOADABLE, secrets=[{"secret": "kept"}])

    def run(function_id: str) -> Any:
        _, made = ask("POST", "/v1/executions", {"function_id": function_id, "sync": True})
        load.settled(place.url, [made["id"]])
        ask("GET", f"/v1/executions/{made['id']}/log")
        return ask("GET", f"/v1/executions/{made['id']}")[1]

    assert "LoadError" in str(run(broken))
    assert ask("PUT", "/v1/secrets/kept", {"value": CHANGED})[0] == 200
    assert run(function)["status"] == "success"
    # Sealed for another row, it opens nowhere.
    plain = place.database_url.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        connection.execute(
            "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE name = 'lent')"
        )
        dump = str(connection.execute("SELECT * FROM secrets").fetchall())
    assert not any(canary in dump for canary in (KEPT, CHANGED, LENT, KEY))
    assert ask("PUT", "/v1/secrets/lent", {"value": LENT})[0] == 200  # and all forget the rest
    until(lambda: "SecretUnavailable" in str(run(function)), 20, what="all to have forgotten it")
    assert ask("PUT", "/v1/secrets/kept", {"value": CHANGED})[0] == 200
    until(lambda: run(function)["status"] == "success", 20, what="all to know it")
    ask("GET", "/v1/secrets")
    ask("GET", "/v1/secrets/kept")
    assert ask("DELETE", "/v1/secrets/lent")[0] == 204
    until(lambda: "SecretUnavailable" in str(run(function)), 20, what="all to have forgotten it")
    assert ask("POST", "/v1/secrets", {"name": "lent", "value": LENT})[0] == 201


def database(place: cluster.Cluster) -> str:
    """All rows of all tables."""
    plain = place.database_url.replace("+psycopg", "")
    with psycopg.connect(plain) as connection:
        tables = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables]
    assert rows
    return str(rows)


def test_canaries(place: cluster.Cluster, zookeeper_secure: zookeeper.Node) -> None:
    answers = live(place, zookeeper_secure)
    logs = place.logs()
    assert "DEBUG" in logs, "the logs are not as loud as they should be"
    for canary in canaries(place, zookeeper_secure):
        lines = [line for line in logs.splitlines() if canary in line]
        assert not lines, f"{canary} in the logs: {lines[:3]}"
    rows = database(place)
    assert ENVIRONMENT in rows, "all of it was looked at"
    assert not [canary for canary in (KEPT, CHANGED, LENT, KEY, TOKEN) if canary in rows]
    # Inputs are the callers' own and are shown to them; nothing else is shown to anybody.
    shown = json.dumps(answers, ensure_ascii=False)
    for canary in canaries(place, zookeeper_secure):
        if canary != INPUT:
            assert canary not in shown
    for boards in (each for each in answers if isinstance(each, str) and PATH in each):
        assert INPUT not in boards
