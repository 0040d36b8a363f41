"""The ZooKeeper board with SASL, TLS and ACLs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kazoo import exceptions as kazoo_errors
from kazoo import security
from kazoo.client import KazooClient

from funcflow import conf as funcflow_conf
from funcflow import errors
from funcflow.jobboards.zookeeper import client as zookeeper_client
from funcflow.jobboards.zookeeper import link as zookeeper_link
from tests import waiting
from tests.contract import boards
from tools.services import zookeeper as zk


def secure_place(node: zk.Node, *, tls: bool, **options: object) -> boards.Place:
    place = boards.ZookeeperPlace(node.tls_hosts if tls else node.hosts)
    security = node.security
    assert security
    secure: dict[str, object] = {
        "sasl_username": security.sasl_username,
        "sasl_password": security.sasl_password,
    }
    if tls:
        files = {"tls_ca": security.ca, "tls_cert": security.cert, "tls_key": security.key}
        secure |= {"tls": True, **{name: str(path) for name, path in files.items()}}
    place.overrides["jobboard"] |= secure | options
    return place


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up early what cannot succeed."""
    monkeypatch.setattr(zookeeper_link, "PATIENCE", 1.0)


@pytest.fixture
def stranger(zookeeper_secure: zk.Node) -> Iterator[Any]:
    """Somebody without credentials, who may connect."""
    client = KazooClient(zookeeper_secure.hosts)
    client.start()
    yield client
    client.stop()
    client.close()


def used(place: boards.Place) -> None:
    """A job from post to consume, seen by another member."""
    poster, member = place.board(serve=False), place.board()
    ticket = boards.ticket()
    poster.post([ticket])
    waiting.until(lambda: member.waiting() == [ticket], what="the job")
    member.consume(member.claim([ticket]))
    assert member.posted(member.shard_of(ticket.function_id)) == set()


@pytest.mark.parametrize("tls", [False, True])
def test_sasl_and_tls(zookeeper_secure: zk.Node, stranger: Any, tls: bool) -> None:
    place = secure_place(zookeeper_secure, tls=tls)
    try:
        used(place)
        ticket = boards.ticket()
        board = place.board()
        board.post([ticket])
        path = f"{place.conf().jobboard.path}/s{board.shard_of(ticket.function_id):02d}/jobs"
        for attempt in (
            lambda: stranger.get_children(path),
            lambda: stranger.create(f"{path}/job1_2_3"),
            lambda: stranger.delete(f"{place.conf().jobboard.path}/epoch"),
        ):
            with pytest.raises(kazoo_errors.NoAuthError):
                attempt()
    finally:
        place.close()


@pytest.mark.usefixtures("impatient")
def test_a_wrong_password_is_refused_and_not_logged(
    zookeeper_secure: zk.Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = secure_place(zookeeper_secure, tls=False, sasl_password="canary-wrong")
    board = place.board(join=False)
    assert not board.connected
    with pytest.raises(errors.Unavailable):
        board.post([boards.ticket()])
    place.close()
    assert "canary-wrong" not in caplog.text


def test_the_password_is_not_logged(
    zookeeper_secure: zk.Node, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    place = secure_place(zookeeper_secure, tls=True)
    used(place)
    place.close()
    assert zookeeper_secure.security
    assert zookeeper_secure.security.sasl_password not in caplog.text


@pytest.mark.usefixtures("impatient")
def test_a_server_we_do_not_trust_is_refused(zookeeper_secure: zk.Node, tmp_path: Path) -> None:
    assert zookeeper_secure.security
    # Signed by itself, not by the authority.
    place = secure_place(zookeeper_secure, tls=True, tls_ca=str(zookeeper_secure.security.cert))
    board = place.board(join=False)
    assert not board.connected
    with pytest.raises(errors.Unavailable):
        board.post([boards.ticket()])
    place.close()


@pytest.mark.usefixtures("impatient")
def test_digest_acls(zookeeper: str) -> None:
    place = boards.ZookeeperPlace(zookeeper)
    place.overrides["jobboard"]["digest"] = "funcflow:open sesame"
    client = KazooClient(zookeeper)
    client.start()
    try:
        used(place)
        path = place.conf().jobboard.path
        with pytest.raises(kazoo_errors.NoAuthError):
            client.get_children(f"{path}/members")
        place.overrides["jobboard"]["digest"] = "funcflow:another"
        board = place.board(join=False)
        with pytest.raises(errors.Unavailable):
            board.post([boards.ticket()])
    finally:
        client.stop()
        client.close()
        place.close()


def test_a_forbidden_folder_is_unavailable(zookeeper: str) -> None:
    place = boards.ZookeeperPlace(zookeeper)
    board = place.board()
    ticket = boards.ticket()
    folder = f"{place.conf().jobboard.path}/s{board.shard_of(ticket.function_id):02d}/jobs"
    client = KazooClient(zookeeper)
    client.start()
    try:
        # Somebody has taken the right to create from everybody.
        client.set_acls(folder, [security.make_acl("world", "anyone", read=True, admin=True)])
        with pytest.raises(errors.Unavailable, match="NoAuth"):
            board.post([ticket])
        with pytest.raises(errors.Unavailable, match="NoAuth"):
            board.post_claimed([ticket])
        client.set_acls(folder, security.OPEN_ACL_UNSAFE)
        assert len(board.post_claimed([ticket])) == 1
    finally:
        client.stop()
        client.close()
        place.close()


@pytest.mark.parametrize(
    "options",
    [
        {"sasl_username": "me"},
        {"sasl_password": "x"},
        {"digest": "no colon"},
        {"tls": True, "tls_ca": "/nowhere"},
    ],
)
def test_half_credentials_are_refused(options: dict[str, object]) -> None:
    conf = funcflow_conf.load(jobboard=options)
    with pytest.raises(errors.ConfigError):
        zookeeper_client.make(conf)
