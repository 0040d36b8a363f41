"""The client on a Keystone session, as in the ``openstack`` command."""

from __future__ import annotations

import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keystoneauth1 import identity, noauth, session

from funcflow.cli import faults, plugin, uploads
from funcflow.cli.client import Client
from tests.unit.cli.double import Double, free_port

EXECUTION = "0199a0c4-7a52-7cc1-9d3f-5b1c1f0e9a11"


def _client(auth: Any, endpoint: str = "", region: str = "one") -> Iterator[Client]:
    keystone = session.Session(auth=auth)
    instance = types.SimpleNamespace(
        session=keystone,
        interface="internal",
        region_name=region,
        get_configuration=lambda: {"funcflow_endpoint": endpoint},
    )
    yield plugin.make_client(instance)
    keystone.session.close()


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    """One that is not authenticated."""
    yield from _client(noauth.NoAuth(endpoint=double.url))


@pytest.fixture
def keystone(double: Double) -> identity.V3Password:
    """A Keystone with funcflow in its catalog, both played by ``double``."""
    endpoints = [
        {"id": kind, "interface": kind, "region": "one", "region_id": "one", "url": url}
        for kind, url in [("public", "http://public:1"), ("internal", f"{double.url}/faas")]
    ]
    token = {
        "methods": ["password"],
        "user": {"id": "u", "name": "u", "domain": {"id": "d", "name": "d"}},
        "project": {"id": "p", "name": "p", "domain": {"id": "d", "name": "d"}},
        "issued_at": "2026-01-01T00:00:00.000000Z",
        "expires_at": "2126-01-01T00:00:00.000000Z",
        "catalog": [{"type": "function-engine", "name": "funcflow", "endpoints": endpoints}],
    }
    double.will({"token": token}, status=201, headers={"X-Subject-Token": "secret-token"})
    return identity.V3Password(f"{double.url}/v3", user_id="u", password="p", project_id="p")


def test_endpoint_and_token_come_from_keystone(
    double: Double, keystone: identity.V3Password
) -> None:
    double.will({"runtimes": []})

    for client in _client(keystone):
        assert list(client.runtimes.list()) == []

    asked = double.seen[-1]
    assert asked.path == "/faas/v1/runtimes?limit=200"
    assert asked.headers["x-auth-token"] == "secret-token"


def test_a_given_endpoint_goes_before_the_catalogs(
    double: Double, keystone: identity.V3Password
) -> None:
    double.will({"runtimes": []})

    for client in _client(keystone, endpoint=f"{double.url}/here"):
        list(client.runtimes.list())

    assert double.seen[-1].path == "/here/v1/runtimes?limit=200"


def test_a_catalog_without_funcflow_is_told(double: Double, keystone: identity.V3Password) -> None:
    for client in _client(keystone, region="elsewhere"):
        with pytest.raises(faults.ClientError, match="no function-engine endpoint"):
            list(client.runtimes.list())


def test_errors_are_the_same_as_without_keystone(double: Double, client: Client) -> None:
    double.will({"error": {"message": "no", "hint": "Yes."}}, status=409)

    with pytest.raises(faults.ClientError, match="no") as caught:
        client.executions.act(EXECUTION, "cancel")

    assert (caught.value.hint, caught.value.status) == ("Yes.", 409)


def test_where_nothing_listens_it_says_how_to_start() -> None:
    for client in _client(noauth.NoAuth(endpoint=f"http://127.0.0.1:{free_port()}")):
        with pytest.raises(faults.Unreachable, match="Connection refused") as caught:
            list(client.runtimes.list())

    assert "funcflow up" in str(caught.value)


def test_an_answer_that_breaks_off_is_an_error(double: Double, client: Client) -> None:
    double.will(b'{"id": ', length=1000)

    with pytest.raises(faults.Disconnected):
        client.functions.get(EXECUTION)


def test_an_upload_is_streamed_with_its_length(
    double: Double, client: Client, tmp_path: Path
) -> None:
    (tmp_path / "f.zip").write_bytes(b"z" * 100_000)
    double.will({"id": "1"}, status=201)

    with uploads.Package(tmp_path / "f.zip") as package:
        client.functions.create(uploads.Form({"name": "f"}, package))

    asked = double.seen[0]
    assert b"z" * 100_000 in asked.body
    assert asked.headers["content-length"] == str(len(asked.body))
    assert "transfer-encoding" not in asked.headers


def test_a_broken_log_goes_on_where_it_broke_off(double: Double, client: Client) -> None:
    piece = b"id: 4\nevent: log\ndata: " + json.dumps({"text": "four"}).encode() + b"\n\n"
    double.will(piece, length=5_000, content_type="text/event-stream")
    double.will(b"event: end\ndata: {}\n\n", content_type="text/event-stream")

    assert [p["text"] for p in client.executions.follow(EXECUTION)] == ["four"]
    assert double.seen[1].headers["last-event-id"] == "4"
